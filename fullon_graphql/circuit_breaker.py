"""Circuit breakers: requests that need a store which does not answer are refused at once, until it may be tried again.

The states are purgatory's (MIT): closed until `threshold` consecutive failures, then open, then half-open for a probe
whose outcome closes or opens the circuit. Unlike purgatory's decorators, half-open admits one call only, time is
monotonic, an outcome may be unknown, and a call to a store without failures costs two attribute reads. See decision 17.
"""

from __future__ import annotations

import math
import sys
from time import monotonic
from typing import Final, Literal, Self

import structlog
from purgatory.domain.model import CLOSED, HALF_OPENED, OPENED, Context, HalfOpenedState

from fullon_graphql.errors import CircuitOpen

log = structlog.get_logger(__name__)

_STATES: Final = {CLOSED: "closed", OPENED: "open", HALF_OPENED: "half_open"}


class CircuitBreaker:
    """The breaker of one store; `service` is its name in errors, and `seconds` is the time until it is tried again.

    Call `admit` before the store is used, and `succeeded` or `failed` when the outcome is known. A cancelled call has
    no outcome and reports nothing.
    """

    def __init__(self, service: str, threshold: int, seconds: float, error: type[CircuitOpen] = CircuitOpen) -> None:
        self.service = service
        self.is_clear = True
        """True while closed and without a failure since the last success."""
        self.openings = 0
        """Number of times it has opened."""
        self.refusals = 0
        """Number of calls it has refused."""
        self._context = Context(service, threshold, seconds)
        self._seconds = seconds
        self._error = error
        self._next_probe = 0.0

    @classmethod
    def never_opening(cls, service: str) -> Self:
        """A breaker that admits every call, for processes with retries of their own."""
        return cls(service, sys.maxsize, 0.0)

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        """Closed admits every call, open none, half-open one per `seconds`."""
        return _STATES[self._context.state]  # type: ignore[return-value]  # the values are the three literals

    def admit(self) -> None:
        """Admit a call.

        Raises:
            CircuitOpen: the store does not answer.
        """
        if self.is_clear or self._context.state == CLOSED:
            return
        now = monotonic()
        if now < self._next_probe:
            self._refuse(now)
        self._next_probe = now + self._seconds  # this call is the probe; the next one follows if it has no outcome
        self._context.set_state(HalfOpenedState())
        self._follow()

    def refuse_while_open(self) -> None:
        """Refuse a call that was admitted and has waited, if the circuit has opened since.

        Raises:
            CircuitOpen: the store does not answer.
        """
        if self._context.state == OPENED:
            self._refuse(monotonic())

    def succeeded(self) -> None:
        """Report that the store has answered, even with an error."""
        if self.is_clear:
            return
        if self._context.state == HALF_OPENED:
            log.info("circuit.closed", service=self.service)
        self._context.handle_end_request()
        self._follow()

    def failed(self, error: BaseException) -> None:
        """Report that the store has not answered."""
        was_open = self._context.state == OPENED
        self._context.handle_exception(error)
        self._follow()
        if self._context.state == OPENED and not was_open:
            self.openings += 1
            self._next_probe = monotonic() + self._seconds
            log.warning("circuit.opened", service=self.service, error=repr(error), retry_in=self._seconds)

    def _refuse(self, now: float) -> None:
        self.refusals += 1
        raise self._error(self.service, retry_after=max(1, math.ceil(self._next_probe - now)))

    def _follow(self) -> None:
        self.is_clear = self._context.state == CLOSED and not self._context.failure_count
        self._context.messages.clear()  # nothing listens to the library's events
