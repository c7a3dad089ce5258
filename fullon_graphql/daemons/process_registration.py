"""Showing a daemon in the platform's register of processes while it works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fullon_graphql.cache import processes
from fullon_graphql.cache.processes import Process, ProcessStatus
from fullon_graphql.observability.redaction import reason

log = structlog.get_logger(__name__)

HEARTBEAT = 30.0
"""Seconds between two signs of life, as the platform's own daemons give them."""


@asynccontextmanager
async def present(redis: Redis, entries: Sequence[Process]) -> AsyncIterator[None]:
    """Keep `entries` registered as running for the block; then as stopped, or as failed where it raised."""
    status, message = ProcessStatus.STOPPED, ""
    try:
        await processes.register(redis, entries)
        heart = asyncio.create_task(_beat(redis, entries))
        try:
            yield
        finally:
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)
    except Exception as error:
        status, message = ProcessStatus.ERROR, reason(error)
        raise
    finally:  # also of who was stopped in the middle of registering
        with suppress(RedisError):  # where Redis is gone, the entries run out by themselves
            await processes.stop(redis, entries, status, message)


async def _beat(redis: Redis, entries: Sequence[Process]) -> None:
    while True:
        try:
            await processes.update(redis, entries, ProcessStatus.RUNNING)
        except RedisError as error:
            log.warning("process.heartbeat.missed", error=reason(error))
        await asyncio.sleep(HEARTBEAT)
