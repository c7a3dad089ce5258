"""The hub: the one Redis subscriber connection of a process, shared by all its subscribers.

A channel is subscribed with its first mailbox and unsubscribed with its last. Redis drops subscriptions when a
connection breaks and never repeats a message, so a mailbox is reset whenever a subscription takes effect: the first
time, and after every reconnect. Its reader then reads the state from Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from sys import getsizeof
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from fullon_graphql.background import BackgroundTask, BackgroundTasks, Ready
from fullon_graphql.cache import keys
from fullon_graphql.errors import ServiceUnavailable
from fullon_graphql.observability.metrics import HUB_OVERFLOWS

log = structlog.get_logger(__name__)

SILENCE = 5.0
"""Seconds without a message before Redis is pinged, and again before the connection is dropped."""

MAX_CHANNELS: Final = 10_000
MAX_BYTES: Final = 8 * 2**20
"""Unread messages of one subscriber that are kept. A subscriber that falls behind further reads the state."""


class Topic(NamedTuple):
    """A channel, or with `pattern` all channels that match a glob. Escape special characters that are literal."""

    name: str
    pattern: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """The newest unread message per channel.

    With `reset`, messages may have been lost: read the state, and drop the earlier one.
    """

    messages: dict[str, str]
    reset: bool


class Mailbox:
    """The unread messages of one subscriber: the newest of each channel.

    Bounded in channels and bytes: what does not fit is dropped with all other messages, and the mailbox is reset.
    """

    def __init__(self) -> None:
        self._messages: dict[str, str] = {}
        self._bytes = 0
        self._reset = False
        self._arrived = asyncio.Event()

    def deliver(self, channel: str, message: str) -> None:
        """Add a message; it replaces an unread one of the same channel."""
        if (replaced := self._messages.get(channel)) is not None:
            self._bytes -= getsizeof(channel) + getsizeof(replaced)
        self._messages[channel] = message
        self._bytes += getsizeof(channel) + getsizeof(message)
        self._arrived.set()
        if len(self._messages) > MAX_CHANNELS:
            self._overflow("channels")
        elif self._bytes > MAX_BYTES:
            self._overflow("bytes")

    def reset(self) -> None:
        """Record that messages may have been lost."""
        self._reset = True
        self._arrived.set()

    async def news(self) -> News:
        """Wait for unread messages or a reset, and take all of it."""
        await self._arrived.wait()
        self._arrived.clear()
        news = News(self._messages, self._reset)
        self._messages, self._bytes, self._reset = {}, 0, False
        return news

    async def news_until(self, moment: float) -> News | None:
        """The same, or None if there is nothing until then (time of the event loop's clock)."""
        try:
            async with asyncio.timeout_at(moment):
                return await self.news()
        except TimeoutError:
            return None

    def _overflow(self, limit: str) -> None:
        HUB_OVERFLOWS.add(limit)
        self._messages, self._bytes = {}, 0
        self.reset()


class Subscriber(PubSub):
    """redis-py's, without reconnecting by itself.

    A read and a subscription could otherwise both reconnect at the same time, and receive each other's answers.
    """

    async def connect(self) -> None:
        self._refuse_broken()
        await super().connect()  # type: ignore[no-untyped-call]  # redis-py has annotated it only in part

    async def next_message(self) -> list[Any]:
        """The next message as Redis sends it, e.g. `["message", channel, data]`, without a limit of time.

        redis-py's `get_message` starts a timer for each message and makes a dictionary of it, which costs more than
        everything else that the hub does with it.

        Raises:
            RedisConnectionError: the connection has broken.
        """
        self._refuse_broken()
        assert self.connection is not None, "channels have been subscribed"
        message = await self.connection.read_response(timeout=math.inf, disconnect_on_error=False, push_request=True)
        if message is None:
            raise RedisConnectionError("the connection has timed out")
        if message[0] in self.UNSUBSCRIBE_MESSAGE_TYPES:
            await self.handle_message(message)  # forgets the channel
        return message

    def _refuse_broken(self) -> None:
        if self.connection and not self.connection.is_connected:
            raise RedisConnectionError("the connection has broken")


class Hub:
    """Use as a context manager around the life of the process; `listen` inside it. It needs a client of its own.

    `timeout_seconds` limits the wait for Redis to confirm a subscription.
    """

    def __init__(self, redis: Redis, timeout_seconds: float, tasks: BackgroundTasks | None = None) -> None:
        redis.set_retry(Retry(NoBackoff(), 0, supported_errors=()))  # the hub reconnects
        self.tasks = tasks or BackgroundTasks()
        self._redis = redis
        self._timeout_seconds = timeout_seconds
        self._listeners: dict[Topic, set[Mailbox]] = defaultdict(set)
        self._unconfirmed: Counter[Topic] = Counter()
        self._changing = asyncio.Lock()
        self._pubsub: Subscriber | None = None
        self._reader: BackgroundTask | None = None

    async def __aenter__(self) -> Self:
        self._reader = self.tasks.start("hub", self._run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader:
            await self.tasks.stop(self._reader)

    @property
    def topics(self) -> int:
        """Number of subscribed channels and patterns."""
        return len(self._listeners)

    @property
    def listeners(self) -> int:
        """Number of mailboxes that receive their messages."""
        return len(set().union(*self._listeners.values()))

    @asynccontextmanager
    async def listen(self, topics: Iterable[Topic], mailbox: Mailbox | None = None) -> AsyncIterator[Mailbox]:
        """Subscribe a mailbox to `topics`. Its first news is a reset, once Redis has confirmed: read the state then.

        A caller that needs every message, not only the newest, passes a `mailbox` of a class that handles each.

        Raises:
            ServiceUnavailable: Redis did not confirm the subscription in time.
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
                with contextlib.suppress(RedisError, OSError):  # the reader reconnects without them
                    await _send(self._pubsub.unsubscribe, self._pubsub.punsubscribe, abandoned)

    async def _subscribe(self, topics: list[Topic]) -> None:
        if self._pubsub and topics:
            self._unconfirmed.update(topics)
            with contextlib.suppress(RedisError, OSError):  # the reader reconnects and subscribes
                await _send(self._pubsub.subscribe, self._pubsub.psubscribe, topics)

    async def _run(self, ready: Ready) -> None:
        """Connect, and read until the connection breaks."""
        async with self._connected() as pubsub:
            ready()
            await self._read(pubsub)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Subscriber]:
        """A new connection, subscribed to all topics. A channel of our own keeps it open without any."""
        async with Subscriber(self._redis.connection_pool) as pubsub:
            await pubsub.subscribe(keys.HUB)
            if pubsub.connection:
                pubsub.connection.health_check_interval = 0  # the hub pings, and times cost
            try:
                async with self._changing:
                    self._unconfirmed.clear()
                    self._pubsub = pubsub
                    await self._subscribe(list(self._listeners))
                yield pubsub
            finally:
                async with self._changing:  # not while another task sends on it
                    self._pubsub = None

    async def _read(self, pubsub: Subscriber) -> None:
        """Dispatch messages. One timer runs for the whole time without silence, not one for each message."""
        loop, is_pinged = asyncio.get_running_loop(), False
        last = loop.time()
        while True:
            try:
                async with asyncio.timeout_at(last + SILENCE):
                    while True:
                        self._dispatch(await pubsub.next_message())
                        last, is_pinged = loop.time(), False
            except TimeoutError:
                if loop.time() < last + SILENCE:
                    continue
            if is_pinged:
                raise RedisConnectionError(f"no answer to a ping for {SILENCE} seconds")
            is_pinged, last = True, loop.time()
            await pubsub.ping()

    def _dispatch(self, message: list[Any]) -> None:
        match message:
            case ["message", channel, data]:
                self._deliver(Topic(channel), channel, data)
            case ["pmessage", pattern, channel, data]:
                self._deliver(Topic(pattern, pattern=True), channel, data)
            case ["subscribe" | "psubscribe" as kind, channel, _] if channel != keys.HUB:
                self._confirm(Topic(channel, pattern=kind == "psubscribe"))

    def _deliver(self, topic: Topic, channel: str, data: str) -> None:
        for mailbox in self._listeners.get(topic, ()):
            try:
                mailbox.deliver(channel, data)
            except Exception:  # one mailbox must not end the reader, on which all others depend
                log.exception("hub.message_not_delivered", channel=channel)
                mailbox.reset()

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
