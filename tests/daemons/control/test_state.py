"""The state of a service, for every combination of stored values."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.daemons.control.state import (
    DesiredState,
    Holder,
    Report,
    ServiceName,
    ServiceState,
    Timing,
    backoff,
    observe,
)

NOW = datetime(2024, 6, 10, tzinfo=UTC)
RUN, REST = DesiredState(running=True, generation=4), DesiredState(running=False, generation=4)
HOLDER = Holder(7, "runner")

desired_states = st.builds(DesiredState, st.booleans(), st.integers(0, 5))
holders = st.none() | st.builds(Holder, st.integers(1, 3), st.just("runner"))
reports = st.none() | st.builds(Report, st.integers(1, 3), st.sampled_from(ServiceState), st.integers(0, 5))


def report(state: ServiceState, fence: int = 7, error: str | None = None) -> Report:
    return Report(fence, state, generation=4, started_at=NOW, heartbeat_at=NOW, error=error)


def state_of(desired: DesiredState, holder: Holder | None, reported: Report | None) -> ServiceState:
    return observe(ServiceName.TICKER, desired, holder, reported).status.state


def test_unknown_service_is_stopped() -> None:
    assert state_of(DesiredState(), None, None) is ServiceState.STOPPED


def test_report_of_the_holder_counts() -> None:
    observation = observe(ServiceName.TICKER, RUN, HOLDER, report(ServiceState.RUNNING))
    assert observation.status.is_running
    assert (observation.status.holder, observation.status.started_at, observation.generation) == ("runner", NOW, 4)


def test_service_without_a_holder_is_not_running() -> None:
    observation = observe(ServiceName.TICKER, RUN, None, report(ServiceState.RUNNING))
    assert observation.status.state is ServiceState.STARTING
    assert observation.status.started_at is None
    assert observation.status.heartbeat_at == NOW


def test_report_of_a_former_holder_does_not_count() -> None:
    assert state_of(RUN, HOLDER, report(ServiceState.RUNNING, fence=6)) is ServiceState.STARTING


def test_service_is_stopping_until_its_holder_has_stopped_it() -> None:
    for state in (ServiceState.STARTING, ServiceState.RUNNING, ServiceState.FAILED):
        assert state_of(REST, HOLDER, report(state)) is ServiceState.STOPPING
    assert state_of(REST, HOLDER, report(ServiceState.STOPPED)) is ServiceState.STOPPED


def test_error_is_shown_while_the_service_is_failed() -> None:
    failed = report(ServiceState.FAILED, error="broken")
    assert observe(ServiceName.TICKER, RUN, HOLDER, failed).status.error == "broken"
    assert observe(ServiceName.TICKER, REST, HOLDER, failed).status.error is None


@given(desired_states, holders, reports)
def test_running_requires_desired_state_lease_and_report(
    desired: DesiredState, holder: Holder | None, reported: Report | None
) -> None:
    status = observe(ServiceName.TICKER, desired, holder, reported).status
    if status.is_running:
        assert desired.running
        assert holder
        assert reported
        assert reported.fence == holder.fence
        assert reported.state is ServiceState.RUNNING
    if holder is None:
        assert status.state in {ServiceState.STOPPED, ServiceState.STARTING}


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_backoff_grows_within_its_bounds(fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))
    timing = Timing()
    assert timing.first_backoff <= backoff(fewer, timing) <= backoff(more, timing) <= timing.longest_backoff


def test_backoff_doubles() -> None:
    assert [backoff(failures, Timing()) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
