"""Counters in Redis with an expiry, by the `limits` library."""

from __future__ import annotations

from limits.aio.storage import RedisStorage
from redis.asyncio import Redis


def counters(client: Redis, prefix: str) -> RedisStorage:
    """A storage of counters under the keys `prefix`, on the connections of `client`."""
    return RedisStorage(
        "async+redis://",
        implementation="redispy",
        key_prefix=prefix,
        connection_pool=client.connection_pool,  # type: ignore[arg-type]  # documented, but missing in its type
    )
