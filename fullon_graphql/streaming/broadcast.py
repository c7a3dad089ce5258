"""Groups: those who listen to the same, and how each of them gets as much of it as it can read.

A listener never waits for another, and what waits for it is bounded. One who keeps up is handed each event as it comes,
without a task of its own waking up for it. One who reads too slowly gets the newest of a stream of states; of a stream
of events it gets those that wait, and then LAGGED with the cursor to go on from. Only the past is told at the pace of
who reads it: those who catch up are alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Self, TypeAlias, cast

import structlog
from graphql import GraphQLError, GraphQLFormattedError

from fullon_graphql.context import Context
from fullon_graphql.engine.errors import formatted
from fullon_graphql.engine.events import Subscription
from fullon_graphql.engine.operations import GraphQLErrors
from fullon_graphql.errors import Lagged, ServiceUnavailable, Timeout, as_fullon_error
from fullon_graphql.streaming.sources import EventSource, Source, Stream

log = structlog.get_logger(__name__)

PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 2.0, 2.0, 5.0, 5.0, 10.0)
"""Seconds between attempts to go on with a stream of states whose stores do not answer."""


AT_ONCE: Final = 100
"""Listeners who are told of an event before what has been said so far leaves, and others have their turn."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event ready to be sent: the response as JSON, and the cursor after it where the stream has cursors."""

    body: bytes
    cursor: str | None = None


TrySend: TypeAlias = Callable[[Frame], bool]
"""Sends a frame at once, and is True; or False, and nothing is sent, where the client has to be waited for."""


AlreadySeen: TypeAlias = Callable[[Frame], bool]
"""Says of a frame whether its reader has had it already."""


def only_when_asked(_frame: Frame) -> bool:
    """The hand of who takes frames by reading them."""
    return False


class Subscriber:
    """One reader of a group: `async for frame in listener`. While it waits for the next, `hand` is tried first.

    What `knows` says yes to is left out.

    Raises:
        GraphQLErrors: the stream has come to its end with an error.
    """

    __slots__ = (
        "_arrival", "_behind", "_end", "_group", "_hand", "_has_left_out", "_knows", "_limit", "_owed", "_room",
        "_since", "_state", "_waiting",
    )  # fmt: skip

    def __init__(self, group: SharedStream, limit: int, hand: TrySend, knows: AlreadySeen | None = None) -> None:
        self._group = group
        self._limit = limit
        self._hand = hand
        self._knows = knows
        self._has_left_out = False
        self._state: Iterator[Frame] = iter(())
        self._waiting: dict[Hashable, Frame] = {}
        self._behind = False
        self._since = group.number
        self._owed = group.state()
        self._end: Sequence[GraphQLFormattedError] | None = None
        self._arrival: asyncio.Future[None] | None = None
        """Not done while the reader has taken all there is, and waits."""
        self._room: asyncio.Future[None] | None = None
        """Not done while somebody waits until there is some."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        while True:
            if frame := next(self._state, None):
                return frame
            if self._owed:
                self._state = iter(await asyncio.shield(self._owed))
                self._owed = None
            elif self._behind:
                self._catch_up()
            elif self._waiting:
                if self._room and not self._room.done():
                    self._room.set_result(None)
                return self._waiting.pop(next(iter(self._waiting)))
            elif self._end is not None:
                raise GraphQLErrors(self._end) if self._end else StopAsyncIteration
            else:
                await self._wait()

    def has_left_out(self) -> bool:
        """Whether something was left out; what waits is looked through once more."""
        if self._knows:
            for place in [place for place, frame in self._waiting.items() if self._knows(frame)]:
                del self._waiting[place]
                self._has_left_out = True
        return self._has_left_out

    def put(self, number: int, place: Hashable, frame: Frame) -> None:
        """Take event `number` in place of an unread one of the same `place`, unless the state that was sent has it."""
        if number <= self._since or self._behind or self._end is not None:
            return
        if self._knows and self._knows(frame):
            self._has_left_out = True
            return
        if self._is_waiting() and self._hand(frame):
            return
        if place not in self._waiting and len(self._waiting) >= self._limit:
            self._overflow()
        else:
            self._waiting[place] = frame
        self._wake()

    async def wait_for_capacity(self) -> None:
        """Wait until one more can be put without anything getting lost."""
        while len(self._waiting) >= self._limit:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def end(self, errors: Sequence[GraphQLFormattedError]) -> None:
        """Say that nothing more will come, and why where that is not in order."""
        if self._end is None:
            self._end = errors
            self._wake()

    async def _wait(self) -> None:
        self._arrival = asyncio.get_running_loop().create_future()
        await self._arrival

    def _is_waiting(self) -> bool:
        """False from when there is something to take on, so that nothing overtakes it; and for a reader who is gone."""
        return self._arrival is not None and not self._arrival.done()

    def _wake(self) -> None:
        if self._arrival and not self._arrival.done():
            self._arrival.set_result(None)

    def _catch_up(self) -> None:
        self._behind = False
        self._since = self._group.number
        self._owed = self._group.state()

    def _overflow(self) -> None:
        if self._group.resumable:
            last = next(reversed(self._waiting.values()))
            assert last.cursor is not None, "events have cursors"
            self.end(self._group.rendered(Lagged(last.cursor)))
        else:
            self._waiting.clear()
            self._behind = True


class SharedStream:
    """The listeners to one subscription. `forget` is called once, when it takes no more of them."""

    def __init__(
        self,
        subscription: Subscription,
        stream: Stream,
        open_: Callable[[], Source[Any]],
        context: Context,
        forget: Callable[[], None],
    ) -> None:
        self.number = 0
        """How many events there have been."""
        self._subscription = subscription
        self._stream = stream
        self._open = open_
        self._source = open_()
        self._context = context
        self._forget: Callable[[], None] | None = forget
        self._listeners: dict[Subscriber, None] = {}
        self._newest: tuple[int, asyncio.Task[list[Frame]]] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def resumable(self) -> bool:
        """True for a stream of events, False for one of states."""
        return self._stream.resumable

    @property
    def is_up_to_date(self) -> bool:
        """Of a stream of events: whether all has been told that was there before."""
        return cast("EventSource[Any]", self._source).is_up_to_date

    @asynccontextmanager
    async def joined(self, hand: TrySend, knows: AlreadySeen | None = None) -> AsyncIterator[Subscriber]:
        """A listener for one block; the group ends with the last of them."""
        listener = Subscriber(self, self._limit(), hand, knows)
        self._listeners[listener] = None
        if not self._tasks:
            self._tasks.add(asyncio.create_task(self._run(), name="stream"))
        try:
            yield listener
        finally:
            listener.end(())  # it may be among those who are just being told of an event
            del self._listeners[listener]
            if not self._listeners:
                await self._close()

    def state(self) -> asyncio.Task[list[Frame]] | None:
        """What a listener is sent first, executed once however many ask; None where there is nothing."""
        if self._newest is None or self._newest[0] != self.number:
            if not (events := self._source.state()):
                return None
            task = asyncio.create_task(self._executed(list(events)), name="state of a stream")
            self._newest = self.number, task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._newest[1]

    def rendered(self, error: Exception) -> Sequence[GraphQLFormattedError]:
        """`error` as clients are told."""
        root = self._subscription.shape.root
        found = GraphQLError(str(error), [root.node], path=[root.key], original_error=error)
        return formatted([found], self._context.request_id, before_execution=False)

    async def _run(self) -> None:
        errors: Sequence[GraphQLFormattedError] = ()
        try:
            async with aclosing(self._batches()) as batches:
                async for events in batches:
                    first, self.number = self.number + 1, self.number + len(events)
                    for number, event, frame in zip(count(first), events, await self._executed(events), strict=False):
                        await self._wait_for_capacity()
                        await self._publish(number, event, frame)
        except Exception as error:
            errors = self.rendered(error)
        self._retire()
        for listener in self._listeners:
            listener.end(errors)

    async def _batches(self) -> AsyncGenerator[Sequence[Any], None]:
        """What the source tells. One of states that fails is opened again, for it begins with all there is."""
        pauses = iter(PAUSES)
        while True:
            try:
                async with aclosing(_told(self._source, resumable=self.resumable)) as batches:
                    async for events in batches:
                        pauses = iter(PAUSES)
                        yield events
                return  # noqa: TRY300  # an `else` would read as if there were something to do
            except Exception as error:
                pause = next(pauses, None)
                if pause is None or self.resumable or not self.number or not _may_pass(error):
                    raise
                log.warning("stream.interrupted", error=repr(error), retry_in=pause)
            await asyncio.sleep(pause)
            self._source = self._open()

    async def _executed(self, events: Sequence[Any]) -> list[Frame]:
        answers, cursor = await self._subscription.answers(self._context, events), self._stream.cursor
        return [Frame(answer, cursor(event) if cursor else None) for event, answer in zip(events, answers, strict=True)]

    async def _wait_for_capacity(self) -> None:
        if self.resumable and not self.is_up_to_date:
            for listener in list(self._listeners):
                await listener.wait_for_capacity()

    async def _publish(self, number: int, event: Any, frame: Frame) -> None:
        place = self._stream.key(event) if self._stream.key else number
        listeners = list(self._listeners)
        self._subscription.metrics.deliveries.add(self._stream.kind, len(listeners))
        for start in range(0, len(listeners), AT_ONCE):
            for listener in listeners[start : start + AT_ONCE]:
                listener.put(number, place, frame)
            await asyncio.sleep(0)  # those who read take it before the next one comes

    def _limit(self) -> int:
        if self.resumable or self._stream.key:
            return self._context.worker.settings.stream_backlog
        return 1

    def _retire(self) -> None:
        if self._forget:
            self._forget()
            self._forget = None

    async def _close(self) -> None:
        self._retire()
        tasks = self._tasks.copy()  # those of states that are done leave it
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _told(source: Source[Any], *, resumable: bool) -> AsyncGenerator[Sequence[Any], None]:
    return cast("EventSource[Any]", source).batches() if resumable else _one_by_one(source)


async def _one_by_one(source: Source[Any]) -> AsyncGenerator[Sequence[Any], None]:
    async with aclosing(source.events()) as events:
        async for event in events:
            yield [event]


def _may_pass(error: Exception) -> bool:
    return isinstance(as_fullon_error(error, ""), ServiceUnavailable | Timeout)
