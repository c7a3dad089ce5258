"""The states of a service, and how they follow from the values in Redis. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol


class ServiceName(StrEnum):
    """All services."""

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
    """Limits and intervals of service control, in seconds.

    The services of a process that died run elsewhere after `lease` + `interval`.
    """

    interval: float = 1.0
    """Between two renewals of a lease, and between two reads of the desired state without a notification."""
    lease: float = 5.0
    margin: float = 2.0
    """A lease that cannot be renewed stops its daemon this long before it expires."""
    start: float = 15.0
    stop: float = 10.0
    command: float = 30.0
    """How long start, stop and restart wait for the state."""
    first_backoff: float = 1.0
    longest_backoff: float = 60.0
    """A daemon that ran for longer than this before it failed starts again at the first backoff."""


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Whether a service should run. Every change of it, and every request to try again, has the next generation."""

    running: bool = False
    generation: int = 0


class Progress(NamedTuple):
    """Units of work that are done, of all that are known. A daemon decides what a unit is."""

    done: int
    of: int


@dataclass(frozen=True, slots=True)
class Report:
    """The last report of the holder of the lease `fence`; `generation` is the desired state it acted on."""

    fence: int
    state: ServiceState
    generation: int
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    error: str | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """The current holder of a service's lease."""

    fence: int
    runner: str


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The public status of a service. Times are UTC; `error` is redacted and meant for administrators.

    `done` and `of` are the progress that the running daemon reports; None without one.
    """

    name: ServiceName
    state: ServiceState
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    error: str | None = None
    holder: str | None = None
    done: int | None = None
    of: int | None = None

    @property
    def is_running(self) -> bool:
        """True in the state RUNNING only."""
        return self.state is ServiceState.RUNNING


@dataclass(frozen=True, slots=True)
class Observation:
    """A service at one moment: the desired state, the status, and the generation that has been acted on."""

    desired: DesiredState
    status: ServiceStatus
    generation: int


def observe(name: ServiceName, desired: DesiredState, holder: Holder | None, report: Report | None) -> Observation:
    """Combine the stored values of a service. A report counts only while its author holds the lease."""
    current = report if report and holder and report.fence == holder.fence else None
    state = _state(desired, current)
    progress = current.progress if current and state is ServiceState.RUNNING else None
    status = ServiceStatus(
        name=name,
        state=state,
        started_at=current.started_at if current else None,
        heartbeat_at=report.heartbeat_at if report else None,
        error=report.error if report and report.state is state else None,
        holder=holder.runner if holder else None,
        done=progress.done if progress else None,
        of=progress.of if progress else None,
    )
    return Observation(desired, status, generation=current.generation if current else 0)


class Backoff(Protocol):
    """The shortest and the longest pause after failures, in seconds."""

    @property
    def first_backoff(self) -> float: ...
    @property
    def longest_backoff(self) -> float: ...


def backoff(failures: int, timing: Backoff) -> float:
    """Seconds to wait after that many failures in a row: doubled each time, up to a limit."""
    doublings = min(failures - 1, 30)  # beyond that a float overflows
    return min(timing.first_backoff * 2.0**doublings, timing.longest_backoff)


def _state(desired: DesiredState, current: Report | None) -> ServiceState:
    if desired.running:
        if current is None or current.state is ServiceState.STOPPED:
            return ServiceState.STARTING
        return current.state
    if current is None or current.state is ServiceState.STOPPED:
        return ServiceState.STOPPED
    return ServiceState.STOPPING
