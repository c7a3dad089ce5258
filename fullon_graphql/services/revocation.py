"""Revocation: whoever ends a credential, or changes what an account may do, says so to all workers.

They look again at the open connections of that account. Nobody depends on it alone: connections are looked at from
time to time as well.
"""

from __future__ import annotations

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fullon_graphql.cache import keys

_log = structlog.get_logger(__name__)


async def announce(redis: Redis, uid: int) -> None:
    """Have the open connections of account `uid` looked at, in every worker; after the change has been committed.

    A Redis that does not answer is logged, for the change has happened.
    """
    try:
        await redis.publish(keys.credentials(uid), "")
    except (RedisError, OSError) as error:
        _log.warning("revocation_not_announced", uid=uid, error=repr(error))
