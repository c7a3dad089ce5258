"""Hearing at once that something about a service has changed, instead of at the next look."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fullon_graphql.cache import keys
from fullon_graphql.daemons.control.state import ServiceName
from fullon_graphql.observability.redaction import reason

log = structlog.get_logger(__name__)


class Ring:
    """One nudge to come."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def set(self) -> None:
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Return when it has come, or after so many seconds: a nudge may be lost, looking again is never wrong."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()


class Bell:
    """Nudges from Redis, per service. Without `listen` it merely never rings."""

    def __init__(self, redis: Redis, patience: float) -> None:
        self._redis = redis
        self._patience = patience
        self._rings = {name: Ring() for name in ServiceName}

    def next(self, name: ServiceName) -> Ring:
        """The next nudge for a service. Take it before looking, wait for it after: nothing in between is missed."""
        return self._rings[name]

    async def listen(self) -> None:
        """Pass nudges on until cancelled; a lost connection is dialled again."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                log.warning("services.bell.silent", error=reason(error))
                await asyncio.sleep(self._patience)

    async def _listen(self) -> None:
        channels = {keys.service_changes(name): name for name in ServiceName}
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(*channels)
            for name in ServiceName:
                self._ring(name)  # who knows what was said before we listened
            while True:
                message = await pubsub.get_message(timeout=self._patience)
                if message is not None:
                    self._ring(channels[message["channel"]])

    def _ring(self, name: ServiceName) -> None:
        rung, self._rings[name] = self._rings[name], Ring()
        rung.set()
