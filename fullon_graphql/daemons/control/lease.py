"""The right to run a service: at most one worker has it, and only for a short time unless it renews it.

Every lease has a fencing number greater than all before. Redis checks the lease in the same step in which it changes
anything in its name, so a worker that slept through the end of its lease changes nothing.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.daemons.control.state import Report, ServiceName

_ACQUIRE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local fence = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], fence .. ':' .. ARGV[1], 'PX', ARGV[2])
return fence
"""
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], 'heartbeat_at', ARGV[3])
return 1
"""
_REPORT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
redis.call('PUBLISH', KEYS[3], 'report')
return 1
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', KEYS[2], 'release')
return 1
"""


class LeaseLostError(Exception):
    """The lease has run out, and perhaps another worker has one."""


class Lease:
    """A lease that was won. Times are those of the event loop's clock."""

    def __init__(
        self, redis: Redis, name: ServiceName, fence: int, *, worker: str, seconds: float, expires: float
    ) -> None:
        self.name = name
        self.fence = fence
        self.expires = expires
        self._redis = redis
        self._token = f"{fence}:{worker}"
        self._seconds = seconds

    def held(self) -> bool:
        """Whether the lease is still good, without asking Redis: never true for longer than there."""
        return asyncio.get_running_loop().time() < self.expires

    async def renew(self) -> None:
        """Begin the term anew and give a sign of life.

        Raises:
            LeaseLostError: it has run out already.
        """
        expires = _end_of_term(self._seconds)
        renewed = await self._redis.eval(
            _RENEW,
            2,
            keys.service_lease(self.name),
            keys.service_report(self.name),
            self._token,
            str(_milliseconds(self._seconds)),
            datetime.now(UTC).isoformat(),
        )
        if not renewed:
            raise LeaseLostError
        self.expires = expires

    async def report(self, report: Report) -> None:
        """Replace what is reported of the service, and nudge who listens.

        Raises:
            LeaseLostError: it has run out already; nothing was changed.
        """
        accepted = await self._redis.eval(
            _REPORT,
            3,
            keys.service_lease(self.name),
            keys.service_report(self.name),
            keys.service_changes(self.name),
            self._token,
            *_fields(report),
        )
        if not accepted:
            raise LeaseLostError

    async def release(self) -> None:
        """Give the lease back, so that another worker need not wait for its end. A lost one is left alone."""
        await self._redis.eval(_RELEASE, 2, keys.service_lease(self.name), keys.service_changes(self.name), self._token)
        self.expires = 0.0


async def acquire(redis: Redis, name: ServiceName, worker: str, seconds: float) -> Lease | None:
    """The lease of a service for `seconds`, or None while another has it."""
    expires = _end_of_term(seconds)
    fence = await redis.eval(
        _ACQUIRE, 2, keys.service_lease(name), keys.service_fence(name), worker, str(_milliseconds(seconds))
    )
    return Lease(redis, name, int(fence), worker=worker, seconds=seconds, expires=expires) if fence else None


def _end_of_term(seconds: float) -> float:
    """The end as we see it. Taken before Redis is asked, so that it never lies after the end as Redis sees it."""
    return asyncio.get_running_loop().time() + seconds


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _fields(report: Report) -> list[str]:
    """Field, value, field, value …; what is unknown is the empty string, so that nothing old shows through."""
    values = {
        "fence": str(report.fence),
        "state": report.state.value,
        "number": str(report.number),
        "started_at": report.started_at.isoformat() if report.started_at else "",
        "heartbeat_at": report.heartbeat_at.isoformat() if report.heartbeat_at else "",
        "error": report.error or "",
    }
    return [part for pair in values.items() for part in pair]
