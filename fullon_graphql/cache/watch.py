"""Noticing changes of what the platform keeps in Redis without publishing it.

One look serves all who listen in this process: at what they listen to, every few seconds, and at once when a program
that has written says so. Nobody looks while nobody listens.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import structlog
from redis.exceptions import RedisError

from fullon_graphql.cache.hub import Hub, Mailbox, Topic

log = structlog.get_logger(__name__)

Key = TypeVar("Key", bound=Hashable)
State = TypeVar("State")


class Watch(Generic[Key, State]):
    """States by key. `read` gives those of all the keys it is asked for, in one round trip."""

    def __init__(
        self,
        hub: Hub,
        channels: Sequence[str],
        read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, State]]],
        interval: float,
    ) -> None:
        self._hub = hub
        self._topics = [Topic(channel) for channel in channels]
        self._read = read
        self._interval = interval
        self._listeners: dict[Key, set[_Latest[State]]] = defaultdict(set)
        self._nudges = Mailbox()
        self._looking: asyncio.Task[None] | None = None

    async def states(self, key: Key) -> AsyncGenerator[State, None]:
        """The state of `key` now, and then each other one; the newest where several came meanwhile.

        Raises:
            ServiceUnavailable, RedisError: Redis does not answer. Only at the beginning; later it is waited for.
        """
        async with self._listening(key) as latest:
            while True:
                yield await latest.next()

    @asynccontextmanager
    async def _listening(self, key: Key) -> AsyncIterator[_Latest[State]]:
        latest = _Latest[State]()
        self._listeners[key].add(latest)
        self._nudges.reset()
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking(), name="watch")
        try:
            yield latest
        finally:
            self._listeners[key].discard(latest)
            if not self._listeners[key]:
                del self._listeners[key]
            if not self._listeners:
                await self._stop_looking()

    async def _stop_looking(self) -> None:
        if looking := self._looking:
            self._looking = None
            looking.cancel()
            await asyncio.wait({looking})

    async def _keep_looking(self) -> None:
        try:
            async with self._hub.listen(self._topics, self._nudges):
                while True:
                    await self._nudges.news_until(asyncio.get_running_loop().time() + self._interval)
                    await self._look()
        except Exception as error:
            self._looking = None  # who comes next begins anew
            for latest in set().union(*self._listeners.values()):
                latest.fail(error)

    async def _look(self) -> None:
        wanted = list(self._listeners)
        try:
            states = await self._read(wanted)
        except (RedisError, OSError) as error:
            log.warning("watch.not_read", topics=[topic.name for topic in self._topics], error=repr(error))
            for latest in set().union(*self._listeners.values()):
                latest.miss(error)
            return
        for key in wanted:
            for latest in self._listeners.get(key, ()):
                latest.put(states[key])


class _Latest(Generic[State]):
    """What one listener has yet to take: the newest state, unless it is the one it took last."""

    def __init__(self) -> None:
        self._states: list[State] = []
        self._taken: list[State] = []
        self._error: Exception | None = None
        self._arrived = asyncio.Event()

    def put(self, state: State) -> None:
        self._states = [state]
        if self._states == self._taken:
            self._arrived.clear()
        else:
            self._arrived.set()

    def miss(self, error: Exception) -> None:
        """Fail where the listener has nothing yet; else what it has is good enough for a while."""
        if not self._taken and not self._states:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        self._error = error
        self._arrived.set()

    async def next(self) -> State:
        await self._arrived.wait()
        if self._error:
            raise self._error
        self._arrived.clear()
        self._taken = self._states
        return self._taken[0]
