"""The states of a service, and what can be concluded from what lies in Redis. No input, no output."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ServiceName(StrEnum):
    """The services there are."""

    TICKER = "ticker"
    OHLCV = "ohlcv"
    ACCOUNT = "account"


class ServiceState(StrEnum):
    """STOPPED → STARTING → RUNNING → STOPPING → STOPPED; FAILED from STARTING or RUNNING, then STARTING again."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take, in seconds. A dead worker's service runs elsewhere after `lease` + `interval`."""

    interval: float = 1.0
    """Between two renewals of a lease, and between two looks at the orders where no nudge comes."""
    lease: float = 5.0
    margin: float = 2.0
    """So long before its lease would run out, a worker that cannot renew it begins to stop the daemon."""
    start: float = 15.0
    stop: float = 10.0
    command: float = 30.0
    """How long start, stop and restart wait for their state."""
    first_backoff: float = 1.0
    longest_backoff: float = 60.0
    """A daemon that ran longer than this before it broke begins with the first backoff again."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was last ordered of a service. Every order that changes something has the next number."""

    running: bool = False
    number: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What the worker with the fencing number `fence` last said; `number` is the order it was carrying out."""

    fence: int
    state: ServiceState
    number: int
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lease of a service at this moment."""

    fence: int
    worker: str


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What anybody may know of a service. Times are UTC; `error` is masked and fit for an administrator's eyes."""

    name: ServiceName
    state: ServiceState
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    error: str | None = None
    holder: str | None = None

    @property
    def is_running(self) -> bool:
        """True in the state RUNNING only."""
        return self.state is ServiceState.RUNNING


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at a service: what was ordered, what is, and which order has been carried out so far."""

    order: Order
    status: ServiceStatus
    carried_out: int


def conclude(name: ServiceName, order: Order, holder: Holder | None, report: Report | None) -> Observation:
    """The truth about a service. A report counts only while its author holds the lease: the dead report nothing."""
    current = report if report and holder and report.fence == holder.fence else None
    state = _state(order, current)
    status = ServiceStatus(
        name=name,
        state=state,
        started_at=current.started_at if current else None,
        heartbeat_at=report.heartbeat_at if report else None,
        error=report.error if report and report.state is state else None,
        holder=holder.worker if holder else None,
    )
    return Observation(order, status, carried_out=current.number if current else 0)


def backoff(failures: int, timing: Timing) -> float:
    """Seconds to wait after that many failures in a row: doubled each time, up to a limit."""
    doublings = min(failures - 1, 30)  # a float has an end, a row of failures may not
    return min(timing.first_backoff * 2.0**doublings, timing.longest_backoff)


def _state(order: Order, current: Report | None) -> ServiceState:
    if order.running:
        if current is None or current.state is ServiceState.STOPPED:
            return ServiceState.STARTING  # a worker will take it up
        return current.state
    if current is None or current.state is ServiceState.STOPPED:
        return ServiceState.STOPPED
    return ServiceState.STOPPING  # the holder has yet to obey
