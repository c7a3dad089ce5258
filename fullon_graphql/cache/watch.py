"""Watches: streams of states that the platform keeps in Redis without publishing their changes.

The subscribers of a process share one read at every interval, and one whenever a writer announces a change. Nothing is
read without subscribers.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from fullon_graphql.background import BackgroundTask, Ready
from fullon_graphql.cache.hub import Hub, Mailbox, Topic

Key = TypeVar("Key", bound=Hashable)
State = TypeVar("State")


class Watch(Generic[Key, State]):
    """States by key. `read` returns those of all keys it is given, in one round trip.

    `channels` are those on which writers announce a change; `interval` is in seconds.
    """

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
        self._subscribers: dict[Key, set[_Newest[State]]] = defaultdict(set)
        self._mailbox = Mailbox()
        self._reader: BackgroundTask | None = None

    async def states(self, key: Key) -> AsyncGenerator[State, None]:
        """The current state of `key`, then each different one. A slow consumer gets the newest only.

        Raises:
            Exception: the first read failed. Later failures are retried, and the stream continues after them.
        """
        async with self._subscription(key) as newest:
            while True:
                yield await newest.take()

    @asynccontextmanager
    async def _subscription(self, key: Key) -> AsyncIterator[_Newest[State]]:
        newest = _Newest[State]()
        self._subscribers[key].add(newest)
        self._mailbox.reset()
        if self._reader is None:
            self._reader = self._hub.tasks.start(f"watch {self._topics[0].name}", self._run)
        try:
            yield newest
        finally:
            self._subscribers[key].discard(newest)
            if not self._subscribers[key]:
                del self._subscribers[key]
            if not self._subscribers and self._reader:
                reader, self._reader = self._reader, None
                await self._hub.tasks.stop(reader)

    async def _run(self, ready: Ready) -> None:
        try:
            async with self._hub.listen(self._topics, self._mailbox):
                while True:
                    await self._mailbox.news_until(asyncio.get_running_loop().time() + self._interval)
                    await self._publish_states()
                    ready()
        except Exception as error:
            for newest in self._all_subscribers():
                newest.fail_if_empty(error)
            raise

    async def _publish_states(self) -> None:
        keys = list(self._subscribers)
        states = await self._read(keys)
        for key in keys:
            for newest in self._subscribers.get(key, ()):
                newest.set(states[key])

    def _all_subscribers(self) -> Iterable[_Newest[State]]:
        return set().union(*self._subscribers.values())


class _Newest(Generic[State]):
    """The newest state for one subscriber, unless it equals the one that was taken last."""

    def __init__(self) -> None:
        self._states: list[State] = []
        self._taken: list[State] = []
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    def set(self, state: State) -> None:
        self._states = [state]
        if self._states == self._taken:
            self._changed.clear()
        else:
            self._changed.set()

    def fail_if_empty(self, error: Exception) -> None:
        """Fail a subscriber that has no state yet. Others wait for the next one."""
        if not self._taken and not self._states:
            self._error = error
            self._changed.set()

    async def take(self) -> State:
        await self._changed.wait()
        if self._error:
            raise self._error
        self._changed.clear()
        self._taken = self._states
        return self._taken[0]
