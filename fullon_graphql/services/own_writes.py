"""Accounts that have changed something a moment ago: until replicas have the change, their reads go to the primary.

Recorded in Redis, because the next request of an account may reach any worker. See decision 24.

A command of redis-py takes longer than a small query. Requests that come while a command is on its way are therefore
asked about together by the next one, so each is asked about after it came.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fullon_graphql.cache import keys

_MARGIN: Final = 1.1
"""The clock of Redis may be faster than ours."""

_log = structlog.get_logger(__name__)


class OwnWrites:
    """The recent changes of each account; `seconds` is the longest lag of a replica that is used."""

    def __init__(self, redis: Redis, seconds: float) -> None:
        self._redis = redis
        self._milliseconds = math.ceil(seconds * 1_000 * _MARGIN)
        self._waiting: list[tuple[int, asyncio.Future[bool]]] = []
        """Accounts that the next command asks about."""
        self._asking: asyncio.Task[None] | None = None

    async def record(self, uid: int) -> None:
        """Record that account `uid` has changed something. Call it after the commit and before the response.

        A Redis error is logged and not raised: the change itself has been made.
        """
        try:
            await self._redis.set(keys.own_write(uid), "", px=self._milliseconds)
        except (RedisError, OSError) as error:
            _log.warning("own_writes.not_recorded", uid=uid, error=repr(error))

    async def has_written(self, uid: int) -> bool:
        """True if account `uid` has changed something recently, or if Redis does not answer."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((uid, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="own writes")
        return await answer

    async def close(self) -> None:
        """Wait for the command that is on its way."""
        if self._asking:
            await self._asking

    async def _ask(self) -> None:
        """Answer waiting requests until there are none."""
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, []
                written = await self._read([uid for uid, _ in asked])
                for (_, answer), found in zip(asked, written, strict=True):
                    if not answer.done():  # the request may be cancelled
                        answer.set_result(found)
        finally:
            self._asking = None
            for _, answer in self._waiting:
                answer.cancel()
            self._waiting = []

    async def _read(self, uids: list[int]) -> list[bool]:
        try:
            return [value is not None for value in await self._redis.mget([keys.own_write(uid) for uid in uids])]
        except (RedisError, OSError):
            return [True] * len(uids)
