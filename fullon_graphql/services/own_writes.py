"""Accounts that have changed something a moment ago: until replicas have the change, their reads go to the primary.

Recorded in Redis, because the next request of an account may reach any worker. See decision 22.
"""

from __future__ import annotations

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
        try:
            return bool(await self._redis.exists(keys.own_write(uid)))
        except (RedisError, OSError):
            return True
