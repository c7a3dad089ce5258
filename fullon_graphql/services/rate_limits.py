"""Limits per window of time: requests per credential and estimated cost per account, per address of anonymous callers.

A request waits for no round trip: each worker counts for itself and adds its count to that of all workers in Redis
every `SYNC_SECONDS`. So the workers together may exceed a limit by the requests of that time. While Redis does not
answer, each worker enforces the limits with its own count.
"""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import Callable, Sequence
from time import time
from typing import Final, NamedTuple

from limits.aio.storage import RedisStorage

from fullon_graphql.auth.principal import Caller, Principal
from fullon_graphql.errors import RateLimited
from fullon_graphql.lru import LRUCache
from fullon_graphql.observability.metrics import Metrics, count_limit
from fullon_graphql.services.signing_in.throttle import address_key

SYNC_SECONDS: Final = 0.2
_CONCURRENT_SYNCS: Final = 8
_WINDOW_BYTES: Final = 550
WINDOWS_BYTES: Final = 10_000 * _WINDOW_BYTES
"""The memory of the windows of one limit. One that is dropped starts with the count in Redis."""
COST_SECONDS: Final = 60
"""The window of `COST_LIMIT_PER_MINUTE`."""

Header = tuple[bytes, bytes]


class _Window:
    """The current window of one credential, account or address."""

    __slots__ = ("counted", "key", "number", "phase", "uncounted")

    def __init__(self, key: str, seconds: int) -> None:
        self.key = key
        self.phase = zlib.crc32(key.encode()) % seconds  # or all windows would start at the same moment
        self.number = 0
        self.counted = 0
        """The amount in this window, as far as this worker knows."""
        self.uncounted = 0
        """The part of it that Redis does not know yet."""

    def advance(self, number: int) -> None:
        """Enter the window `number`."""
        if number != self.number:
            self.number, self.counted, self.uncounted = number, 0, 0


class Taken(NamedTuple):
    """The state of a window after an amount has been taken from it, or refused."""

    allowed: bool
    remaining: int
    reset: int
    """Seconds until the next window."""


class Windows:
    """Amounts per key and window of `seconds`, at most `limit` each; shared by all workers through `storage`."""

    def __init__(self, storage: RedisStorage, limit: int, seconds: int, metrics: Metrics) -> None:
        self._storage = storage
        self._limit = limit
        self._seconds = seconds
        self._metrics = metrics
        self.windows: LRUCache[str, _Window] = LRUCache(WINDOWS_BYTES)
        self._changed: dict[str, _Window] = {}
        self._wake = asyncio.Event()

    def take(self, key: str, amount: int) -> Taken:
        """Count `amount` for `key`, unless it would exceed the limit."""
        window = self.windows.get(key) or self.windows.put(key, _Window(key, self._seconds), _WINDOW_BYTES)
        number, elapsed = divmod(time() + window.phase, self._seconds)
        window.advance(int(number))
        is_allowed = window.counted + amount <= self._limit
        if is_allowed:
            window.counted += amount
            window.uncounted += amount
            self._changed[key] = window
            self._wake.set()
        return Taken(is_allowed, max(0, self._limit - window.counted), math.ceil(self._seconds - elapsed))

    async def synchronize(self, ready: Callable[[], None]) -> None:
        """Add the counts of this worker to those in Redis, until cancelled. A background task."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            taken, self._changed = self._changed, {}
            changed = list(taken.values())
            try:
                for start in range(0, len(changed), _CONCURRENT_SYNCS):
                    await self._add_all(changed[start : start + _CONCURRENT_SYNCS])
            except Exception:
                self._metrics.rate_limits.add("not_synchronized")
                self._changed = taken | self._changed  # the restarted task tries again without waiting for a request
                self._wake.set()
                raise
            ready()
            await asyncio.sleep(SYNC_SECONDS)

    async def _add_all(self, windows: Sequence[_Window]) -> None:
        for failure in await asyncio.gather(*map(self._add, windows), return_exceptions=True):
            if failure:
                raise failure

    async def _add(self, window: _Window) -> None:
        number, uncounted = window.number, window.uncounted
        if not uncounted:
            return
        total = await self._storage.incr(f"{window.key}:{number}", self._seconds, amount=uncounted)
        if window.number == number:
            window.uncounted -= uncounted
            window.counted = total + window.uncounted


class RateLimiter(Windows):
    """The limit of requests per credential; 0 switches it off."""

    def __init__(self, storage: RedisStorage, requests: int, seconds: int, metrics: Metrics) -> None:
        super().__init__(storage, requests, seconds, metrics)
        self._policy = (b"ratelimit-policy", b'"requests";q=%d;w=%d' % (requests, seconds))

    def spend(self, caller: Caller, address: str | None, headers: list[Header] | None = None) -> None:
        """Count one request. The `RateLimit` fields of its response are appended to `headers`.

        Raises:
            RateLimited: the window's requests are used up.
        """
        if not self._limit:
            return
        taken = self.take(caller.credential if isinstance(caller, Principal) else _address(address), 1)
        if headers is not None:
            headers += (self._policy, (b"ratelimit", b'"requests";r=%d;t=%d' % (taken.remaining, taken.reset)))
        if not taken.allowed:
            self._metrics.rate_limits.add("refused")
            message = f"More than {self._limit} requests in {self._seconds} seconds. Retry in {taken.reset} seconds."
            raise RateLimited(message, retry_after=taken.reset, limit=self._limit)


class CostLimiter(Windows):
    """The limit of estimated cost per account and minute; 0 switches it off.

    The estimate is charged, and not corrected by the actual cost: the work of an operation that finds few rows is not
    known to be small, and a client can calculate the charge in advance.
    """

    def __init__(self, storage: RedisStorage, limit: int, metrics: Metrics) -> None:
        super().__init__(storage, limit, COST_SECONDS, metrics)

    def spend(self, caller: Caller, address: str | None, cost: int) -> Taken | None:
        """Count the cost of an operation. The state of the window; None if there is no limit.

        Raises:
            RateLimited: the window has less left than `cost`.
        """
        if not self._limit:
            return None
        taken = self.take(f"account:{caller.uid}" if isinstance(caller, Principal) else _address(address), cost)
        if not taken.allowed:
            count_limit("COST_LIMIT_PER_MINUTE")
            message = (
                f"Operations of one account may cost {self._limit} per minute; {taken.remaining} is left and this one"
                f" costs {cost}. Retry in {taken.reset} seconds."
            )
            raise RateLimited(message, retry_after=taken.reset, limit=self._limit, cost=cost)
        return taken


def _address(address: str | None) -> str:
    return address_key(address or "unknown")
