"""Requests and socket operations per credential and window; for anonymous callers per address.

A request waits for no round trip: each worker counts for itself and adds its count to that of all workers in Redis
every `SYNC_SECONDS`. So the workers together may exceed the limit by what one credential sends in that time. While
Redis does not answer, each worker enforces the limit with its own count.
"""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import Callable, Sequence
from time import time
from typing import Final

from limits.aio.storage import RedisStorage

from fullon_graphql.auth.principal import Caller, Principal
from fullon_graphql.errors import RateLimited
from fullon_graphql.lru import LRUCache
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.services.signing_in.throttle import address_key

SYNC_SECONDS: Final = 0.2
_CONCURRENT_SYNCS: Final = 8
_REMEMBERED: Final = 20_000
"""Maximum number of credentials and addresses in memory. One that is dropped starts with the count in Redis."""

Header = tuple[bytes, bytes]


class _Window:
    """The current window of one credential or address."""

    __slots__ = ("counted", "key", "number", "phase", "uncounted")

    def __init__(self, key: str, seconds: int) -> None:
        self.key = key
        self.phase = zlib.crc32(key.encode()) % seconds  # or all windows would start at the same moment
        self.number = 0
        self.counted = 0
        """Requests in this window, as far as this worker knows."""
        self.uncounted = 0
        """Those of them that Redis does not know yet."""

    def advance(self, number: int) -> None:
        """Enter the window `number`."""
        if number != self.number:
            self.number, self.counted, self.uncounted = number, 0, 0


class RateLimiter:
    """The limit of `requests` per `seconds`; 0 requests switch it off."""

    def __init__(self, storage: RedisStorage, requests: int, seconds: int, metrics: Metrics) -> None:
        self._storage = storage
        self._requests = requests
        self._seconds = seconds
        self._metrics = metrics
        self._windows: LRUCache[str, _Window] = LRUCache(_REMEMBERED)
        self._changed: dict[str, _Window] = {}
        self._wake = asyncio.Event()
        self._policy = (b"ratelimit-policy", b'"requests";q=%d;w=%d' % (requests, seconds))

    def spend(self, caller: Caller, address: str | None, headers: list[Header] | None = None) -> None:
        """Count one request. The `RateLimit` fields of its response are appended to `headers`.

        Raises:
            RateLimited: the window's requests are used up.
        """
        if not self._requests:
            return
        key = caller.credential if isinstance(caller, Principal) else address_key(address or "unknown")
        window = self._windows.get(key) or self._windows.put(key, _Window(key, self._seconds))
        number, elapsed = divmod(time() + window.phase, self._seconds)
        window.advance(int(number))
        reset = math.ceil(self._seconds - elapsed)
        is_allowed = window.counted < self._requests
        if is_allowed:
            window.counted += 1
            window.uncounted += 1
            self._changed[key] = window
            self._wake.set()
        if headers is not None:
            state = b'"requests";r=%d;t=%d' % (max(0, self._requests - window.counted), reset)
            headers += (self._policy, (b"ratelimit", state))
        if not is_allowed:
            self._metrics.rate_limits.add("refused")
            message = f"More than {self._requests} requests in {self._seconds} seconds. Retry in {reset} seconds."
            raise RateLimited(message, retry_after=reset, limit=self._requests)

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
