"""Leases: the right to run a service, which one process has at a time and has to renew.

Every lease has a fencing number greater than all before. Redis checks the lease in the same step in which it changes
anything in its name, so a process that was suspended beyond the end of its lease changes nothing.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.daemons.control.state import Progress, Report, ServiceName

_ACQUIRE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local fence = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], fence .. ':' .. ARGV[1], 'PX', ARGV[2])
return fence
"""
# A heartbeat that Redis refuses, because its memory is exhausted, does not end the lease.
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.pcall('HSET', KEYS[2], 'heartbeat_at', ARGV[3], 'done', ARGV[4], 'of', ARGV[5])
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
    """The lease of a service has expired; another process may hold one."""

    def __init__(self) -> None:
        super().__init__("The lease has expired, so nothing more is written: another process may run this service.")


class Lease:
    """An acquired lease. Times are those of the event loop's clock, in seconds."""

    def __init__(
        self, redis: Redis, name: ServiceName, fence: int, *, runner: str, seconds: float, expires: float
    ) -> None:
        self.name = name
        self.fence = fence
        self.expires = expires
        self._redis = redis
        self._token = f"{fence}:{runner}"
        self._seconds = seconds

    def is_held(self) -> bool:
        """Whether the lease is valid, without a round trip. Never True after Redis has let it expire."""
        return asyncio.get_running_loop().time() < self.expires

    async def renew(self, progress: Progress | None = None) -> None:
        """Extend the lease to its full duration from now, and write the heartbeat with the daemon's progress.

        Raises:
            LeaseLostError: it has expired already.
        """
        expires = _expiry(self._seconds)
        renewed = await self._redis.eval(
            _RENEW,
            2,
            keys.service_lease(self.name),
            keys.service_report(self.name),
            self._token,
            str(_milliseconds(self._seconds)),
            datetime.now(UTC).isoformat(),
            *(map(str, progress) if progress else ("", "")),
        )
        if not renewed:
            raise LeaseLostError
        self.expires = expires

    async def report(self, report: Report) -> None:
        """Replace the report of the service and notify subscribers.

        Raises:
            LeaseLostError: the lease has expired already; nothing was changed.
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
        """Give the lease up before it expires. An expired one is left alone."""
        await self._redis.eval(_RELEASE, 2, keys.service_lease(self.name), keys.service_changes(self.name), self._token)
        self.expires = 0.0


async def acquire(redis: Redis, name: ServiceName, runner: str, seconds: float) -> Lease | None:
    """Acquire the lease of a service for `seconds`. None while another process holds it."""
    expires = _expiry(seconds)
    fence = await redis.eval(
        _ACQUIRE, 2, keys.service_lease(name), keys.service_fence(name), runner, str(_milliseconds(seconds))
    )
    return Lease(redis, name, int(fence), runner=runner, seconds=seconds, expires=expires) if fence else None


def _expiry(seconds: float) -> float:
    """When a lease expires by our clock. Computed before Redis is called, so it is never later than in Redis."""
    return asyncio.get_running_loop().time() + seconds


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _fields(report: Report) -> list[str]:
    """Field, value, field, value …; an unknown value is the empty string, which replaces the previous one."""
    values = {
        "fence": str(report.fence),
        "state": report.state.value,
        "generation": str(report.generation),
        "started_at": report.started_at.isoformat() if report.started_at else "",
        "heartbeat_at": report.heartbeat_at.isoformat() if report.heartbeat_at else "",
        "error": report.error or "",
        "done": "",
        "of": "",
    }
    return [part for pair in values.items() for part in pair]
