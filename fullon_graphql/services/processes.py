"""The platform's running processes, for administrators only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from redis.asyncio import Redis

from fullon_graphql.auth.principal import Caller, administrator
from fullon_graphql.cache import processes
from fullon_graphql.cache.processes import ProcessStatus, ProcessType, Report
from fullon_graphql.errors import BadUserInput

STALE_AFTER: Final = timedelta(minutes=10)
"""A process without a heartbeat for so long may hang: the threshold of the platform's own monitor."""
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


async def health(redis: Redis, caller: Caller) -> Health:
    """The health of the platform's processes.

    Raises:
        Unauthenticated, Forbidden: the caller is not an administrator.
    """
    administrator(caller)
    now = datetime.now(UTC)
    reports = [report for report in await processes.read(redis) if now - report.heartbeat <= HEALTH_WINDOW]
    return Health(
        total=len(reports),
        stale=sum(is_stale(report, now) for report in reports),
        failing=sum(report.status == ProcessStatus.ERROR for report in reports),
        by_type=Counter(report.type.value for report in reports),
        by_status=Counter(report.status or "unknown" for report in reports),
    )
