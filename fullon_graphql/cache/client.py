"""The Redis client: bounded, with a timeout on everything."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from fullon_graphql.config import Settings


def connect(url: str, settings: Settings, name: str) -> Redis:
    """A client for `url` (`redis://`, `rediss://` or `unix://`); `name` shows in Redis' client list.

    Nothing is dialled before the first use. Who finds all connections busy waits for one, as long as for a command.
    The caller closes it with `await client.aclose()`.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=settings.redis_max_connections,
        timeout=settings.redis_timeout,
        socket_timeout=settings.redis_timeout,
        socket_connect_timeout=settings.redis_timeout,
        # A connection that went stale while idle is dialled anew; a timeout is final, or it would take several times
        # as long as it promises.
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=2, supported_errors=(RedisConnectionError,)),
        health_check_interval=15,
        client_name=f"fullon_graphql:{name}",
        decode_responses=True,
        # RESP2: hiredis hands over its flat replies faster than maps, and there is no HELLO to wait for.
        protocol=2,
    )
    return Redis.from_pool(pool)
