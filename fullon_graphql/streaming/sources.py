"""Sources: what a subscription field listens to.

A field of `Subscription` declares a function that opens a source for a caller, from the field's arguments. Equal
requests share one source: see `registry.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import strawberry

T_co = TypeVar("T_co", covariant=True)

SOURCE: Final = "source"
"""Where a field's `Stream` stands in its Strawberry metadata."""


class Source(Protocol[T_co]):
    """One upstream of a subscription field, for all who ask alike."""

    def events(self) -> AsyncGenerator[T_co, None]:
        """Values of the field: the state first where there is one, then every change. Called once.

        Closing the generator releases whatever it listens to; an exception out of it ends the stream with its code.
        """
        ...

    def state(self) -> Sequence[T_co]:
        """What somebody who joins later, or could not keep up, has to be sent first, as of the last of `events`.

        Empty before the first of them, and always for a source of events that happen once.
        """
        ...


class EventSource(Source[T_co], Protocol):
    """A source of events that happen once."""

    is_up_to_date: bool
    """Whether all has been told that was there before, so that what comes has just happened."""

    def batches(self) -> AsyncGenerator[Sequence[T_co], None]:
        """What `events` tells, and together what has come together. Called once, in place of `events`."""
        ...


@dataclass(frozen=True, eq=False)
class Stream:
    """How a subscription field is listened to."""

    open: Callable[..., Source[Any]]
    """`open(context, **arguments)`; arguments by Python name, those not given left out. It checks them, and waits for
    nothing."""
    cursor: Callable[[Any], str] | None = None
    """Of an event, where none must be missed: what goes on after it. Who cannot keep up is told where to go on. Without
    one the stream is of states: who cannot keep up gets the newest instead of all it has missed."""
    order: Callable[[str], Any] | None = None
    """Of a cursor, where there are some, what compares as events follow each other."""
    key: Callable[[Any], Hashable] | None = None
    """Of an event, what it is the state of: of those that wait for a listener, the newest of each is enough."""

    @property
    def kind(self) -> str:
        """The word for it in metrics."""
        return "events" if self.resumable else "states"

    @property
    def resumable(self) -> bool:
        """True for a stream of events, False for one of states."""
        return self.cursor is not None


def streamed(
    description: str,
    open_: Callable[..., Source[Any]],
    *,
    cursor: Callable[[Any], str] | None = None,
    order: Callable[[str], Any] | None = None,
    key: Callable[[Any], Hashable] | None = None,
) -> Any:
    """A field of `Subscription` that streams what `open_(context, **arguments)` opens, for those who are signed in.

    The class says its type: `ticker: Ticker = streamed("…", _ticker)`. The parameters of `open_` after the context are
    the field's arguments, annotated as a resolver's are. A source of events that happen once (`EventSource`) names the
    `cursor` of an event and their `order`; its argument `after` is the cursor from which to go on. One whose values
    stand for different things that change, like the bars of a chart, names the `key` of a value.
    """
    stream = Stream(open_, cursor, order, key)

    def declared() -> None:
        """Carries the field's arguments to Strawberry; never called, the stream registry opens the source."""

    signature = inspect.signature(open_)
    _context, *arguments = signature.parameters.values()
    declared.__signature__ = signature.replace(parameters=arguments)  # type: ignore[attr-defined]  # `inspect` reads it
    declared.__module__ = open_.__module__  # the annotations are resolved in its namespace
    return strawberry.subscription(resolver=declared, description=description, metadata={SOURCE: stream})
