"""One source and one execution for many subscribers, each of which reads at its own pace.

A subscriber never waits for another, and its backlog is bounded. While it is idle, a frame is written to its socket at
once, without waking a task. A slow subscriber of a state stream gets the newest state; a slow subscriber of an event
stream gets its backlog, then LAGGED with the cursor to resume after. Only past events, and those of a paced stream,
are delivered at the subscriber's pace, because such a stream has a single subscriber.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import count, islice
from time import time
from typing import Any, Final, Self, TypeAlias, cast

import structlog
from graphql import GraphQLError, GraphQLFormattedError

from fullon_graphql.context import Context
from fullon_graphql.engine.errors import formatted
from fullon_graphql.engine.events import Subscription
from fullon_graphql.engine.operations import GraphQLErrors
from fullon_graphql.errors import Lagged, Timeout, is_transient
from fullon_graphql.observability.metrics import count_limit
from fullon_graphql.observability.tracing import MOST_LINKS, ActiveSpan, current_span
from fullon_graphql.streaming.backlog import Backlog, Frame, FrameMemory, Overflow
from fullon_graphql.streaming.sources import EventSource, PacedSource, SessionSource, Source, Stream

log = structlog.get_logger(__name__)

RETRY_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 2.0, 2.0, 5.0, 5.0, 10.0)
"""Seconds between attempts to reopen a state stream whose stores do not answer."""


SUBSCRIBERS_PER_TURN: Final = 100
"""Subscribers that receive an event before the event loop runs other tasks."""


EXECUTION_BYTES: Final = 1024 * 1024
"""Bytes that the frames of one execution should not exceed, judged by the largest frame of the one before."""

TrySend: TypeAlias = Callable[[Frame], bool]
"""Sends a frame without waiting. False, and nothing is sent, if the client has no capacity."""


AlreadySeen: TypeAlias = Callable[[Frame], bool]
"""True for a frame that the client has received from another stream."""


def never_send(_frame: Frame) -> bool:
    """The `TrySend` of a subscriber that only reads."""
    return False


class Subscriber:
    """One reader of a shared stream: `async for frame in subscriber`. While it is idle, `try_send` is tried first.

    A reader without a task calls `next_frame` until there is none, and `call_when_needed`. Frames for which
    `already_seen` is true are dropped.

    Raises:
        GraphQLErrors: the stream has ended with an error.
    """

    __slots__ = (
        "_already_seen", "_arrival", "_backlog", "_capacity", "_errors", "_has_dropped", "_on_need", "_outdated",
        "_sending", "_snapshot", "_snapshot_number", "_snapshot_task", "_stream", "_try_send",
    )  # fmt: skip

    def __init__(
        self, stream: SharedStream, backlog: Backlog, try_send: TrySend, already_seen: AlreadySeen | None = None
    ) -> None:
        self._stream = stream
        self._backlog = backlog
        self._try_send = try_send
        self._already_seen = already_seen
        self._has_dropped = False
        self._snapshot: Iterator[Frame] = iter(())
        self._snapshot_task = stream.snapshot()
        self._snapshot_number = stream.number
        self._sending: Frame | None = None
        """The frame that the reader has taken from the backlog, and sends now."""
        self._outdated = False
        """True once the backlog of states has overflowed: the next frame comes from a fresh snapshot."""
        self._errors: Sequence[GraphQLFormattedError] | None = None
        """Why the stream has ended; None while it has not."""
        self._arrival: asyncio.Future[None] | None = None
        """Pending while the reader is idle."""
        self._on_need: Callable[[], None] | None = None
        """The same for a reader without a task; None while it is not idle."""
        self._capacity: asyncio.Future[None] | None = None
        """Pending while the stream waits for this reader."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        while not (frame := await self.next_frame()):
            if self.has_ended:
                raise StopAsyncIteration
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        return frame

    @property
    def has_ended(self) -> bool:
        """True if no frame follows those that it has."""
        return self._errors is not None

    async def next_frame(self) -> Frame | None:
        """The next frame; None if there is none yet, or if the stream has ended.

        The frame before it has been sent, or will not be.
        """
        if self._sending:
            self._stream.count_delivery(self._sending)
            self._release()
        while True:
            if frame := next(self._snapshot, None):
                return frame
            if self._snapshot_task:
                self._snapshot = iter(await asyncio.shield(self._snapshot_task))
                self._snapshot_task = None
            elif self._outdated:
                self._restart_from_snapshot()
            elif self._backlog:
                if self._capacity and not self._capacity.done():
                    self._capacity.set_result(None)
                self._sending = self._backlog.pop()
                return self._sending
            elif self._errors:
                raise GraphQLErrors(self._errors)
            else:
                return None

    def call_when_needed(self, on_need: Callable[[], None]) -> None:
        """Call `on_need` once, when there is a frame that `try_send` does not take, or the stream has ended."""
        self._on_need = on_need

    def leave(self) -> bool:
        """End this subscriber. The stream ends with its last one: True if `closed` has to wait for that."""
        return self._stream.remove(self)

    async def closed(self) -> None:
        """Wait until the stream, which has no subscriber any more, is closed."""
        await self._stream.closed()

    def has_dropped(self) -> bool:
        """True once a frame has been dropped because the client has seen it; looks through the backlog as well."""
        if self._already_seen and self._backlog.discard(self._already_seen):
            self._has_dropped = True
        return self._has_dropped

    def receive(self, number: int, key: Hashable, frame: Frame) -> bool:
        """Send event `number`, or keep it in place of an unread one with the same key. True if it was sent.

        An event that is part of the snapshot is dropped.
        """
        if number <= self._snapshot_number or self._errors is not None:
            return False
        if self._outdated:
            self._stream.count_skipped("overflow")
            return False
        if self._already_seen and self._already_seen(frame):
            self._has_dropped = True
            return False
        arrival = self._arrival  # not done: the reader waits; done: its task is about to wake, or has been cancelled
        if (self._on_need or (arrival is not None and not arrival.done())) and self._try_send(frame):
            return True
        if overflow := self._backlog.overflow(key, frame):
            self._overflow(overflow, key, frame)
        elif self._backlog.add(key, frame):
            self._stream.count_skipped("replaced")
        self._wake()
        return False

    async def wait_for_capacity(self, key: Hashable, frame: Frame) -> None:
        """Wait until the backlog can take the frame, or is empty."""
        while len(self._backlog) and self._backlog.overflow(key, frame):
            self._capacity = asyncio.get_running_loop().create_future()
            await self._capacity

    def end(self, errors: Sequence[GraphQLFormattedError]) -> None:
        """Accept no further events. The reader gets its backlog, then `errors` if there are any."""
        if self._errors is None:
            self._errors = errors
            self._wake()

    def close(self) -> None:
        """Release all frames; the reader is gone."""
        self._on_need = None
        self.end(())
        self._release()
        self._backlog.clear()
        if self._capacity and not self._capacity.done():
            self._capacity.set_result(None)

    def _release(self) -> None:
        if self._sending:
            self._backlog.release(self._sending)
            self._sending = None

    def _wake(self) -> None:
        if self._on_need:
            on_need, self._on_need = self._on_need, None
            on_need()
        elif self._arrival and not self._arrival.done():
            self._arrival.set_result(None)

    def _restart_from_snapshot(self) -> None:
        self._outdated = False
        self._snapshot_number = self._stream.number
        self._snapshot_task = self._stream.snapshot()

    def _overflow(self, overflow: Overflow, key: Hashable, frame: Frame) -> None:
        if not self._stream.lossless:
            self._stream.count_skipped("overflow", len(self._backlog) + 1)
            self._backlog.clear()
            self._outdated = True
        elif not len(
            self._backlog
        ):  # the worker has no memory left, but without one event there is no cursor to resume after
            self._backlog.add(key, frame)
            return
        else:
            cursor = self._backlog.last.cursor
            assert cursor is not None, "events have cursors"
            self.end(self._stream.format_error(Lagged(cursor)))
        self._stream.count_overflow(overflow)


class SharedStream:
    """One subscription and its subscribers. `on_close` is called once, when it takes no more subscribers."""

    def __init__(
        self,
        subscription: Subscription,
        stream: Stream,
        open_: Callable[[], Source[Any] | PacedSource[Any]],
        context: Context,
        memory: FrameMemory,
        on_close: Callable[[], None],
    ) -> None:
        self.number = 0
        """The number of the newest event, counted from 1."""
        self._subscription = subscription
        self._stream = stream
        self._open = open_
        self._source = open_()
        self._context = context
        self._memory = memory
        self._on_close: Callable[[], None] | None = on_close
        self._subscribers: dict[Subscriber, ActiveSpan | None] = {}
        """Each with the span of its subscription, if it has one that is exported."""
        self._events_per_execution = EXECUTION_BYTES
        """One event has at least a byte, so the first execution is not limited."""
        self._newest_snapshot: tuple[int, asyncio.Task[list[Frame]]] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def resumable(self) -> bool:
        """True for an event stream, False for a state stream."""
        return self._stream.resumable

    @property
    def lossless(self) -> bool:
        """True if no event may be dropped or merged."""
        return self._stream.lossless

    @property
    def is_exclusive(self) -> bool:
        """True if it belongs to one subscriber."""
        return self._stream.exclusive

    @property
    def caught_up(self) -> bool:
        """For an event stream: True once all past events have been delivered."""
        return cast("EventSource[Any]", self._source).caught_up

    def add(self, try_send: TrySend, already_seen: AlreadySeen | None = None) -> Subscriber:
        """A subscriber, until it leaves."""
        subscriber = Subscriber(self, self._new_backlog(), try_send, already_seen)
        self._subscribers[subscriber] = span if (span := current_span()) and span.is_sampled else None
        if not self._tasks:
            self._tasks.add(asyncio.create_task(self._run(), name="stream"))
        return subscriber

    def remove(self, subscriber: Subscriber) -> bool:
        """Remove a subscriber that leaves. True if it was the last one, with which the stream ends."""
        subscriber.close()  # `_publish` may hold a list with this subscriber
        del self._subscribers[subscriber]
        if self._subscribers:
            return False
        self._retire()
        for task in self._tasks:
            task.cancel()
        return True

    async def closed(self) -> None:
        """Wait for the end of a stream without subscribers."""
        await asyncio.wait(self._tasks.copy())  # finished snapshots remove themselves

    async def complete(self) -> None:
        """Let the source of an exclusive stream know that the client has completed the subscription."""
        try:
            await cast("SessionSource[Any]", self._source).complete()
        except Exception as error:
            log.warning("stream.not_completed", field=self._subscription.shape.root.name, error=repr(error))

    def snapshot(self) -> asyncio.Task[list[Frame]] | None:
        """The frames a new subscriber starts with, executed once for all of them; None if there are none."""
        if self._newest_snapshot is None or self._newest_snapshot[0] != self.number:
            if not (events := self._source.snapshot()):
                return None
            task = asyncio.create_task(self._execute(list(events)), name="snapshot of a stream")
            self._newest_snapshot = self.number, task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._newest_snapshot[1]

    def count_overflow(self, overflow: Overflow) -> None:
        """Count a subscriber whose backlog has overflowed."""
        self._subscription.metrics.stream_overflows.add(overflow)

    def count_skipped(self, reason: str, events: int = 1) -> None:
        """Count states that a subscriber does not receive, because newer ones or a fresh snapshot replace them."""
        self._subscription.metrics.events_skipped.add(reason, events)

    def count_delivery(self, frame: Frame, subscribers: int = 1) -> None:
        """Count that a frame has been written to the sockets of so many subscribers."""
        if frame.at is not None and subscribers:
            self._subscription.metrics.delivery_lag.add(self._stream.kind, max(0.0, time() - frame.at), subscribers)

    def format_error(self, error: Exception) -> Sequence[GraphQLFormattedError]:
        """`error` as the client receives it."""
        root = self._subscription.shape.root
        located = GraphQLError(str(error), path=[root.key], original_error=error)
        return formatted([located], self._context.request_id, before_execution=False)

    async def _run(self) -> None:
        errors: Sequence[GraphQLFormattedError] = ()
        try:
            async with aclosing(self._batches()) as batches:
                async for events in batches:
                    await self._publish_batch(events)
        except Exception as error:
            errors = self.format_error(error)
        self._retire()
        for subscriber in self._subscribers:
            subscriber.end(errors)

    async def _publish_batch(self, events: Sequence[Any]) -> None:
        """Execute and publish events, as many at a time as are expected to fit in `EXECUTION_BYTES`."""
        first, done, self.number = self.number + 1, 0, self.number + len(events)
        while done < len(events):
            part = events[done : done + self._events_per_execution]
            numbers, done = count(first + done), done + len(part)
            frames = await self._execute(part)
            self._events_per_execution = max(1, EXECUTION_BYTES // max(1, *(len(frame.body) for frame in frames)))
            for number, event, frame in zip(numbers, part, frames, strict=False):
                key = self._stream.key(event) if self._stream.key else number
                if self._stream.time and (self.caught_up if self.resumable else number > 1):
                    frame.at = self._stream.time(event)
                await self._wait_for_capacity(key, frame)
                await self._publish(number, key, frame)

    async def _batches(self) -> AsyncGenerator[Sequence[Any], None]:
        """The events of the source. A state source that fails is reopened, because it starts with the whole state."""
        pauses = iter(RETRY_PAUSES)
        while True:
            try:
                async with aclosing(_source_batches(self._source, in_batches=self.lossless)) as batches:
                    async for events in batches:
                        pauses = iter(RETRY_PAUSES)
                        yield events
                return  # noqa: TRY300  # an `else` would read as if it had something to do
            except Exception as error:
                pause = next(pauses, None)
                is_final = self.lossless or self._stream.exclusive or not self.number
                if pause is None or is_final or not is_transient(error):
                    raise
                log.warning("stream.interrupted", error=repr(error), retry_in=pause)
            await asyncio.sleep(pause)
            self._source = self._open()

    async def _execute(self, events: Sequence[Any]) -> list[Frame]:
        tracer = self._context.worker.tracer
        if tracer is None or not (links := list(islice(filter(None, self._subscribers.values()), MOST_LINKS))):
            return await self._answers(events)
        with tracer.event(f"event {self._subscription.shape.root.name}", links, len(events)):
            return await self._answers(events)

    async def _answers(self, events: Sequence[Any]) -> list[Frame]:
        answers = self._subscription.immediate_answers(self._context, events)
        if answers is None:
            answers = await self._answers_in_time(events)
        cursor = self._stream.cursor
        return [Frame(answer, cursor(event) if cursor else None) for event, answer in zip(events, answers, strict=True)]

    async def _answers_in_time(self, events: Sequence[Any]) -> list[bytes]:
        limit, context = self._context.worker.settings.stream_execution_timeout, self._context
        if context.worker.replicas and self._stream.position:
            context = replace(context, position=self._stream.position(events[-1]))
        try:
            async with asyncio.timeout(limit) as deadline:
                return await self._subscription.answers(context, events, complete=self.lossless)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            count_limit("STREAM_EXECUTION_TIMEOUT")
            raise Timeout(f"An event took longer than {limit:g} s to execute, the limit.") from error

    async def _wait_for_capacity(self, key: Hashable, frame: Frame) -> None:
        if self._stream.paced or (self.resumable and not self.caught_up):
            for subscriber in list(self._subscribers):
                await subscriber.wait_for_capacity(key, frame)

    async def _publish(self, number: int, key: Hashable, frame: Frame) -> None:
        subscribers = list(self._subscribers)
        self._subscription.metrics.deliveries.add(self._stream.kind, len(subscribers))
        for start in range(0, len(subscribers), SUBSCRIBERS_PER_TURN):
            part = subscribers[start : start + SUBSCRIBERS_PER_TURN]
            self.count_delivery(frame, sum([subscriber.receive(number, key, frame) for subscriber in part]))
            await asyncio.sleep(0)  # readers take this event before the next one is published

    def _new_backlog(self) -> Backlog:
        settings = self._context.worker.settings
        frames = settings.stream_backlog if self.lossless or self._stream.key else 1
        return Backlog(self._memory, frames, settings.stream_backlog_bytes)

    def _retire(self) -> None:
        if self._on_close:
            self._on_close()
            self._on_close = None


def _source_batches(source: Source[Any] | PacedSource[Any], *, in_batches: bool) -> AsyncGenerator[Sequence[Any], None]:
    if in_batches:
        return cast("EventSource[Any]", source).batches()
    return _one_by_one(cast("Source[Any]", source))


async def _one_by_one(source: Source[Any]) -> AsyncGenerator[Sequence[Any], None]:
    async with aclosing(source.events()) as events:
        async for event in events:
            yield [event]
