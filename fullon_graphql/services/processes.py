"""The platform's running processes, for administrators only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from redis.asyncio import Redis

from fullon_graphql.auth.principal import Caller, administrator
from fullon_graphql.cache import overview, processes
from fullon_graphql.cache.overview import Overview
from fullon_graphql.cache.processes import ProcessStatus, ProcessType, Report
from fullon_graphql.errors import BadUserInput

STALE_AFTER: Final = timedelta(minutes=10)
"""A process without a heartbeat for so long may hang: the threshold of the platform's own monitor."""
DAEMON_TYPES: Final = (ProcessType.TICK, ProcessType.OHLCV, ProcessType.ACCOUNT)
"""The types that the platform's daemons register."""
HEALTH_WINDOW: Final = timedelta(hours=1)
"""Processes without a heartbeat for longer do not count for the platform's health."""


@dataclass(frozen=True, slots=True)
class Health:
    """Counts of the processes of the last hour."""

    total: int
    stale: int
    failing: int
    by_type: Mapping[str, int]
    by_status: Mapping[str, int]

    @property
    def healthy(self) -> bool:
        """True if no process is stale or reports an error."""
        return self.stale == self.failing == 0


def is_stale(report: Report, now: datetime | None = None) -> bool:
    """True if the last heartbeat is older than `STALE_AFTER`."""
    return (now or datetime.now(UTC)) - report.heartbeat > STALE_AFTER


async def running(
    redis: Redis,
    caller: Caller,
    type_: ProcessType | None = None,
    component: str | None = None,
    since_minutes: int | None = None,
) -> Sequence[Report]:
    """The processes of a type and component with a heartbeat in the last `since_minutes`, newest first.

    Raises:
        Unauthenticated, Forbidden: the caller is not an administrator.
        BadUserInput: the minutes are not positive.
    """
    administrator(caller)
    if since_minutes is not None and since_minutes < 1:
        raise BadUserInput(f"`sinceMinutes` is {since_minutes}; it must be 1 or more.", field="sinceMinutes")
    reports = await processes.read(redis, [type_] if type_ else tuple(ProcessType))
    window = timedelta.max if since_minutes is None else timedelta(minutes=since_minutes)
    now = datetime.now(UTC)
    return [report for report in reports if component in {None, report.component} and now - report.heartbeat <= window]


@dataclass(frozen=True, slots=True)
class TypeFigures:
    """Counts and heartbeats of the processes of one type in the last hour."""

    processes: int
    stale: int
    failing: int
    oldest_heartbeat: datetime
    newest_heartbeat: datetime


async def performance(redis: Redis, caller: Caller) -> dict[str, TypeFigures]:
    """The figures of each type that has processes. Raises as `health` does."""
    administrator(caller)
    now = datetime.now(UTC)
    by_type: dict[str, list[Report]] = {}
    for report in await _of_last_hour(redis, now):
        by_type.setdefault(report.type.value, []).append(report)
    return {
        name: TypeFigures(
            processes=len(reports),
            stale=sum(is_stale(report, now) for report in reports),
            failing=_failing(reports),
            oldest_heartbeat=min(report.heartbeat for report in reports),
            newest_heartbeat=max(report.heartbeat for report in reports),
        )
        for name, reports in sorted(by_type.items())
    }


async def keys_and_memory(redis: Redis, caller: Caller) -> Overview:
    """The keys of Redis by family, and its memory. Raises as `health` does."""
    administrator(caller)
    return await overview.read(redis)


async def daemon_types(redis: Redis) -> set[ProcessType]:
    """The types of daemons of which a process runs, on any host. It is public: `/health` shows it."""
    now = datetime.now(UTC)
    ended = {ProcessStatus.ERROR, ProcessStatus.STOPPED}
    reports = await processes.read(redis, DAEMON_TYPES)
    return {report.type for report in reports if not is_stale(report, now) and report.status not in ended}


async def health(redis: Redis, caller: Caller) -> Health:
    """The health of the platform's processes.

    Raises:
        Unauthenticated, Forbidden: the caller is not an administrator.
    """
    administrator(caller)
    now = datetime.now(UTC)
    reports = await _of_last_hour(redis, now)
    return Health(
        total=len(reports),
        stale=sum(is_stale(report, now) for report in reports),
        failing=_failing(reports),
        by_type=Counter(report.type.value for report in reports),
        by_status=Counter(report.status or "unknown" for report in reports),
    )


async def _of_last_hour(redis: Redis, now: datetime) -> list[Report]:
    return [report for report in await processes.read(redis) if now - report.heartbeat <= HEALTH_WINDOW]


def _failing(reports: Sequence[Report]) -> int:
    return sum(report.status == ProcessStatus.ERROR for report in reports)
