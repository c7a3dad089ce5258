"""Keeps a daemon in the platform's register of processes while it works."""

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
"""Seconds between two heartbeats, as in the platform's own daemons."""


@asynccontextmanager
async def registered(redis: Redis, entries: Sequence[Process]) -> AsyncIterator[None]:
    """Register `entries` as running for the block; afterwards as stopped, or as failed if the block raised."""
    status, message = ProcessStatus.STOPPED, ""
    try:
        await processes.register(redis, entries)
        heartbeat = asyncio.create_task(_send_heartbeats(redis, entries))
        try:
            yield
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)
    except Exception as error:
        status, message = ProcessStatus.ERROR, reason(error)
        raise
    finally:  # also after a cancellation during the registration
        with suppress(RedisError):  # without Redis the entries expire by themselves
            await processes.stop(redis, entries, status, message)


async def _send_heartbeats(redis: Redis, entries: Sequence[Process]) -> None:
    while True:
        try:
            await processes.update(redis, entries, ProcessStatus.RUNNING)
        except RedisError as error:
            log.warning("process.heartbeat.missed", error=reason(error))
        await asyncio.sleep(HEARTBEAT)
