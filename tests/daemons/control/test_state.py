"""What can be concluded about a service, whatever lies in Redis."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.daemons.control.state import (
    Holder,
    Order,
    Report,
    ServiceName,
    ServiceState,
    Timing,
    backoff,
    conclude,
)

NOW = datetime(2024, 6, 10, tzinfo=UTC)
RUN, REST = Order(running=True, number=4), Order(running=False, number=4)
HOLDER = Holder(7, "worker")

orders = st.builds(Order, st.booleans(), st.integers(0, 5))
holders = st.none() | st.builds(Holder, st.integers(1, 3), st.just("worker"))
reports = st.none() | st.builds(Report, st.integers(1, 3), st.sampled_from(ServiceState), st.integers(0, 5))


def report(state: ServiceState, fence: int = 7, error: str | None = None) -> Report:
    return Report(fence, state, number=4, started_at=NOW, heartbeat_at=NOW, error=error)


def state_of(order: Order, holder: Holder | None, told: Report | None) -> ServiceState:
    return conclude(ServiceName.TICKER, order, holder, told).status.state


def test_a_service_of_which_nobody_ever_spoke_is_stopped() -> None:
    assert state_of(Order(), None, None) is ServiceState.STOPPED


def test_a_holder_is_believed() -> None:
    sight = conclude(ServiceName.TICKER, RUN, HOLDER, report(ServiceState.RUNNING))
    assert sight.status.is_running
    assert (sight.status.holder, sight.status.started_at, sight.carried_out) == ("worker", NOW, 4)


def test_the_dead_are_not_running() -> None:
    sight = conclude(ServiceName.TICKER, RUN, None, report(ServiceState.RUNNING))
    assert sight.status.state is ServiceState.STARTING
    assert sight.status.started_at is None
    assert sight.status.heartbeat_at == NOW, "when it was last alive is still worth knowing"


def test_what_an_earlier_holder_said_is_not_the_word_of_the_present_one() -> None:
    assert state_of(RUN, HOLDER, report(ServiceState.RUNNING, fence=6)) is ServiceState.STARTING


def test_a_service_ordered_to_stop_is_stopping_until_its_holder_obeys() -> None:
    for state in (ServiceState.STARTING, ServiceState.RUNNING, ServiceState.FAILED):
        assert state_of(REST, HOLDER, report(state)) is ServiceState.STOPPING
    assert state_of(REST, HOLDER, report(ServiceState.STOPPED)) is ServiceState.STOPPED


def test_the_reason_of_a_failure_is_told_while_it_is_failed() -> None:
    failed = report(ServiceState.FAILED, error="broken")
    assert conclude(ServiceName.TICKER, RUN, HOLDER, failed).status.error == "broken"
    assert conclude(ServiceName.TICKER, REST, HOLDER, failed).status.error is None


@given(orders, holders, reports)
def test_nothing_runs_unless_it_is_ordered_held_and_reported_by_its_holder(
    order: Order, holder: Holder | None, told: Report | None
) -> None:
    status = conclude(ServiceName.TICKER, order, holder, told).status
    if status.is_running:
        assert order.running
        assert holder
        assert told
        assert told.fence == holder.fence
        assert told.state is ServiceState.RUNNING
    if holder is None:
        assert status.state in {ServiceState.STOPPED, ServiceState.STARTING}


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_backoff_grows_with_the_failures_within_its_bounds(fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))
    timing = Timing()
    assert timing.first_backoff <= backoff(fewer, timing) <= backoff(more, timing) <= timing.longest_backoff


def test_backoff_doubles() -> None:
    assert [backoff(failures, Timing()) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
