"""The hub: one Redis subscriber connection per process, however many clients listen.

A channel is subscribed when its first listener comes and dropped with its last. Redis forgets who subscribed when a
connection breaks and never repeats a message, so a listener is told to read the state anew whenever a subscription
takes effect: the first time, and after every reconnect.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from fullon_graphql.cache import keys
from fullon_graphql.errors import ServiceUnavailable

log = structlog.get_logger(__name__)

SILENCE = 5.0
"""Seconds without a word from Redis before it is pinged, and again before the connection is given up."""
SLOWEST_RETRY = 2.0
"""Seconds between attempts to reconnect, at most."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A channel, or with `pattern` all channels that match a glob (escape what is not meant as one)."""

    name: str
    pattern: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """What a listener has not seen yet: the newest message per channel.

    With `reset`, messages may have been missed: read the state, then forget what it knew.
    """

    messages: dict[str, str]
    reset: bool


class Mailbox:
    """What one listener has yet to read. Bounded by the channels it listens to: the newest message wins."""

    def __init__(self) -> None:
        self._messages: dict[str, str] = {}
        self._reset = False
        self._arrived = asyncio.Event()

    def put(self, channel: str, message: str) -> None:
        """Keep `message` in place of an unread one of the same channel."""
        self._messages[channel] = message
        self._arrived.set()

    def reset(self) -> None:
        """Tell the listener that it may have missed messages."""
        self._reset = True
        self._arrived.set()

    async def news(self) -> News:
        """Wait until there is something to read, and take all of it."""
        await self._arrived.wait()
        self._arrived.clear()
        news = News(self._messages, self._reset)
        self._messages, self._reset = {}, False
        return news

    async def news_until(self, moment: float) -> News | None:
        """The same, or None where nothing has come until then, by the clock of the event loop."""
        try:
            async with asyncio.timeout_at(moment):
                return await self.news()
        except TimeoutError:
            return None


class Subscriber(PubSub):
    """redis-py's, but once it is broken it stays so.

    Otherwise who reads and who subscribes would both connect it again, at the same time: each would take answers to
    the other, and fail in ways that no caller expects.
    """

    async def connect(self) -> None:
        self._refuse_broken()
        await super().connect()  # type: ignore[no-untyped-call]  # redis-py has annotated it only in part

    async def parse_response(self, *arguments: Any, **options: Any) -> Any:
        self._refuse_broken()
        return await super().parse_response(*arguments, **options)

    def _refuse_broken(self) -> None:
        if self.connection and not self.connection.is_connected:
            raise RedisConnectionError("the connection has broken")


class Hub:
    """Use as a context manager around the life of the process; `listen` inside it. It needs a client of its own."""

    def __init__(self, redis: Redis, patience: float) -> None:
        redis.set_retry(Retry(NoBackoff(), 0, supported_errors=()))  # connecting again is the hub's
        self._redis = redis
        self._timeout_seconds = patience
        self._listeners: dict[Topic, set[Mailbox]] = defaultdict(set)
        self._unconfirmed: Counter[Topic] = Counter()
        self._changing = asyncio.Lock()
        self._pubsub: PubSub | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._keep_reading(), name="hub")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    @property
    def topics(self) -> int:
        """How many channels and patterns are subscribed."""
        return len(self._listeners)

    @property
    def listeners(self) -> int:
        """How many listen to them."""
        return len(set().union(*self._listeners.values()))

    @asynccontextmanager
    async def listen(self, topics: Iterable[Topic], mailbox: Mailbox | None = None) -> AsyncIterator[Mailbox]:
        """A mailbox for `topics`, whose first news is a reset: subscribed, so read the state now.

        Who must not miss what the newest message leaves behind brings a `mailbox` that looks at each.

        Raises:
            ServiceUnavailable: Redis did not take the subscription in time.
        """
        mailbox, wanted = mailbox or Mailbox(), list(dict.fromkeys(topics))
        try:
            await self._join(mailbox, wanted)
            yield mailbox
        finally:
            await self._leave(mailbox, wanted)

    async def _join(self, mailbox: Mailbox, topics: list[Topic]) -> None:
        async with self._changing:
            new = [topic for topic in topics if not self._listeners[topic]]
            for topic in topics:
                self._listeners[topic].add(mailbox)
            await self._subscribe(new)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                while any(self._unconfirmed[topic] for topic in topics) or self._pubsub is None:
                    await mailbox.news()
        except TimeoutError as error:
            raise ServiceUnavailable("redis") from error
        mailbox.reset()

    async def _leave(self, mailbox: Mailbox, topics: list[Topic]) -> None:
        async with self._changing:
            for topic in topics:
                self._listeners[topic].discard(mailbox)
            abandoned = [topic for topic in topics if not self._listeners[topic]]
            for topic in abandoned:
                del self._listeners[topic]
            if self._pubsub and abandoned:
                with contextlib.suppress(RedisError, OSError):  # the reader notices, and reconnects without them
                    await _send(self._pubsub.unsubscribe, self._pubsub.punsubscribe, abandoned)

    async def _subscribe(self, topics: list[Topic]) -> None:
        if self._pubsub and topics:
            self._unconfirmed.update(topics)
            with contextlib.suppress(RedisError, OSError):  # the reader notices, and subscribes after reconnecting
                await _send(self._pubsub.subscribe, self._pubsub.psubscribe, topics)

    async def _keep_reading(self) -> None:
        pause = 0.05
        while True:
            try:
                async with self._connected() as pubsub:
                    pause = 0.05
                    await self._read(pubsub)
            except (RedisError, OSError) as error:
                log.warning("hub.disconnected", error=repr(error), listeners=len(self._listeners))
            await asyncio.sleep(pause)
            pause = min(pause * 2, SLOWEST_RETRY)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[PubSub]:
        """A new connection, subscribed to everything somebody listens to; one channel of our own keeps it open."""
        async with Subscriber(self._redis.connection_pool) as pubsub:
            await pubsub.subscribe(keys.HUB)
            try:
                async with self._changing:
                    self._unconfirmed.clear()
                    self._pubsub = pubsub
                    await self._subscribe(list(self._listeners))
                yield pubsub
            finally:
                async with self._changing:  # so that it is not closed in the midst of sending
                    self._pubsub = None

    async def _read(self, pubsub: PubSub) -> None:
        silent = False
        while True:
            message = await pubsub.get_message(timeout=SILENCE)
            if message is not None:
                silent = False
                self._dispatch(message)
            elif silent:
                raise RedisConnectionError(f"no answer to a ping for {SILENCE} seconds")
            else:
                silent = True
                await pubsub.ping()

    def _dispatch(self, message: dict[str, Any]) -> None:
        kind, channel = message["type"], message["channel"]
        match kind:
            case "message":
                self._deliver(Topic(channel), channel, message["data"])
            case "pmessage":
                self._deliver(Topic(message["pattern"], pattern=True), channel, message["data"])
            case "subscribe" | "psubscribe" if channel != keys.HUB:
                self._confirm(Topic(channel, pattern=kind == "psubscribe"))

    def _deliver(self, topic: Topic, channel: str, data: str) -> None:
        for mailbox in self._listeners.get(topic, ()):
            mailbox.put(channel, data)

    def _confirm(self, topic: Topic) -> None:
        self._unconfirmed[topic] -= 1
        if self._unconfirmed[topic] <= 0:
            del self._unconfirmed[topic]
            for mailbox in self._listeners.get(topic, ()):
                mailbox.reset()


async def _send(channels: Any, patterns: Any, topics: list[Topic]) -> None:
    """One command for the plain channels among `topics`, one for the patterns."""
    if plain := [topic.name for topic in topics if not topic.pattern]:
        await channels(*plain)
    if globs := [topic.name for topic in topics if topic.pattern]:
        await patterns(*globs)
