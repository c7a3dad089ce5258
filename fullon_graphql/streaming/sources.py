"""Sources: where a subscription field gets its events.

A field of `Subscription` declares a function that opens a source from the caller and the field's arguments. Equal
subscriptions share one source: see `registry.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol, TypeVar

import strawberry

from fullon_graphql.errors import BadUserInput
from fullon_graphql.services.change_feed.table import Position

T_co = TypeVar("T_co", covariant=True)

SOURCE: Final = "source"
"""The key of a field's `Stream` in its Strawberry metadata."""


class Source(Protocol[T_co]):
    """The upstream of a subscription field, for all subscribers of equal subscriptions."""

    def events(self) -> AsyncGenerator[T_co, None]:
        """Values of the field: the current state first if there is one, then every change. Called once.

        Closing the generator releases what it uses. An exception ends the stream with its code.
        """
        ...

    def snapshot(self) -> Sequence[T_co]:
        """The values for subscribers that join later or have fallen behind, as of the last of `events`.

        Empty before the first event, and always empty for a source of events that happen once.
        """
        ...


class EventSource(Source[T_co], Protocol):
    """A source of events that happen once."""

    caught_up: bool
    """True once all past events have been delivered, so that each further event has just happened."""

    def batches(self) -> AsyncGenerator[Sequence[T_co], None]:
        """The values of `events`, in the groups in which they were read. Called once, instead of `events`."""
        ...


class PacedSource(Protocol[T_co]):
    """A source with a single subscriber, which waits for it: no event is dropped or merged."""

    def batches(self) -> AsyncGenerator[Sequence[T_co], None]:
        """Values of the field, in groups that are executed together. Called once. The stream ends with it."""
        ...

    def snapshot(self) -> Sequence[T_co]:
        """No values: every subscriber starts with the first event."""
        ...


class SessionSource(Source[T_co], Protocol):
    """The source of one subscription, which learns whether the client has completed it."""

    async def complete(self) -> None:
        """Called after `events` was closed because the client has completed the subscription.

        Not called if the connection is lost, or the server ends it.
        """
        ...


@dataclass(frozen=True, eq=False)
class Stream:
    """How a subscription field is streamed."""

    open: Callable[..., Source[Any] | PacedSource[Any]]
    """`open(context, **arguments)`, with arguments by Python name; arguments without a value are left out. It checks
    them, and does not wait."""
    cursor: Callable[[Any], str] | None = None
    """The cursor of an event, for event streams: a slow subscriber resumes after it. A stream without cursors is a
    state stream: a slow subscriber gets the newest state instead of the ones it has missed."""
    order: Callable[[str], Any] | None = None
    """The sort key of a cursor, for event streams."""
    key: Callable[[Any], Hashable] | None = None
    """The key of the state in an event: a backlog keeps only the newest event of each key."""
    position: Callable[[Any], Position] | None = None
    """The newest change that the rows of an event must include, for event streams that read rows."""
    time: Callable[[Any], float | None] | None = None
    """Unix seconds at which an event happened, for the metric of delivery lag; None if it is unknown."""
    paced: bool = False
    """True if it opens a `PacedSource`, one for each subscription."""
    exclusive: bool = False
    """True if it opens a `SessionSource`, one for each subscription, which is not reopened after a failure."""

    @property
    def kind(self) -> str:
        """The value of the metrics' label `kind`."""
        return "events" if self.lossless else "states"

    @property
    def resumable(self) -> bool:
        """True for an event stream, False for a state stream."""
        return self.cursor is not None

    @property
    def lossless(self) -> bool:
        """True if no event may be dropped or merged."""
        return self.resumable or self.paced


def streamed(
    description: str,
    open_: Callable[..., Source[Any] | PacedSource[Any]],
    *,
    cursor: Callable[[Any], str] | None = None,
    order: Callable[[str], Any] | None = None,
    key: Callable[[Any], Hashable] | None = None,
    position: Callable[[Any], Position] | None = None,
    time: Callable[[Any], float | None] | None = None,
    paced: bool = False,
    exclusive: bool = False,
) -> Any:
    """A field of `Subscription` that streams what `open_(context, **arguments)` opens, for authenticated callers.

    The class declares its type: `ticker: Ticker = streamed("…", _ticker)`. The parameters of `open_` after the context
    are the field's arguments, annotated like those of a resolver. An `EventSource` needs the `cursor` of an event and
    the `order` of cursors; its argument `after` is the cursor to resume after. A source of states of several things,
    like the bars of a chart, needs the `key` of a value. `position` is the change that reads from a replica must
    include, `time` is when an event happened, in unix seconds. `paced` declares that `open_` returns a `PacedSource`,
    and `exclusive` that it returns a `SessionSource`.
    """
    stream = Stream(open_, cursor, order, key, position, time, paced, exclusive)

    def declared() -> None:
        """Carries the field's arguments to Strawberry; never called, because the stream registry opens the source."""

    signature = inspect.signature(open_)
    _context, *arguments = signature.parameters.values()
    declared.__signature__ = signature.replace(parameters=arguments)  # type: ignore[attr-defined]  # `inspect` reads it
    declared.__module__ = open_.__module__  # the annotations are resolved in its namespace
    return strawberry.subscription(resolver=declared, description=description, metadata={SOURCE: stream})


MaxRate = Annotated[
    float | None,
    strawberry.argument(
        description="At most this many frames per second; changes in between are merged into one frame."
    ),
]


def frame_interval(max_rate: float | None) -> float:
    """The seconds between two frames at this rate; 0 without a rate.

    Raises:
        BadUserInput: the rate is not above 0.
    """
    if max_rate is None:
        return 0.0
    if not max_rate > 0:
        raise BadUserInput(f"`maxRate` is {max_rate}; it takes a number above 0.", field="maxRate")
    return 1 / max_rate
