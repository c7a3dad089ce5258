"""Circuit breakers: states, the probe, and outcomes that are unknown."""

from __future__ import annotations

import pytest

from fullon_graphql import circuit_breaker
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.errors import CircuitOpen


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(circuit_breaker, "monotonic", clock)
    return clock


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("store", threshold=3, seconds=30)


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        breaker.admit()
        breaker.failed(TimeoutError())


def refusal(breaker: CircuitBreaker) -> CircuitOpen:
    with pytest.raises(CircuitOpen) as refused:
        breaker.admit()
    return refused.value


def test_consecutive_failures_open_the_circuit(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    breaker.succeeded()
    assert breaker.is_clear
    fail(breaker, 2)
    assert (breaker.state, breaker.is_clear) == ("closed", False)
    fail(breaker, 1)
    assert breaker.state == "open"
    assert refusal(breaker).extensions == {"code": "SERVICE_UNAVAILABLE", "service": "store", "retryAfter": 30}
    assert (breaker.openings, breaker.refusals) == (1, 1)


def test_refusals_are_separate_errors(breaker: CircuitBreaker) -> None:
    fail(breaker, 3)
    assert refusal(breaker) is not refusal(breaker)  # one that is raised again would collect tracebacks


def test_half_open_circuit_admits_one_probe(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 29.5
    assert refusal(breaker).retry_after == 1
    clock.now += 0.5
    breaker.admit()
    assert breaker.state == "half_open"
    assert refusal(breaker).retry_after == 30
    breaker.succeeded()
    assert (breaker.state, breaker.is_clear) == ("closed", True)
    breaker.admit()


def test_failed_probe_opens_the_circuit_again(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 30
    fail(breaker, 1)
    assert (breaker.state, breaker.openings) == ("open", 2)
    assert refusal(breaker).retry_after == 30


def test_probe_without_an_outcome_is_followed_by_another(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 30
    breaker.admit()  # and cancelled
    clock.now += 30
    breaker.admit()
    breaker.succeeded()
    assert breaker.state == "closed"


def test_outcomes_of_calls_from_before_the_opening_change_nothing(breaker: CircuitBreaker) -> None:
    fail(breaker, 3)
    breaker.failed(TimeoutError())
    breaker.succeeded()
    assert (breaker.state, breaker.openings) == ("open", 1)
    with pytest.raises(CircuitOpen):
        breaker.refuse_while_open()


def test_breaker_that_never_opens(clock: Clock) -> None:
    breaker = CircuitBreaker.never_opening("store")
    fail(breaker, 1_000)
    breaker.refuse_while_open()
    breaker.admit()
