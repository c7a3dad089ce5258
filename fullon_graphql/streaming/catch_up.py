"""Going on after a cursor: alone through what has happened since, then together with all who listen to the same.

After a restart every client comes back with a cursor of its own. If each kept a source of its own for good, nothing
would be shared any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

from fullon_graphql.streaming.broadcast import Frame, SharedStream, Subscriber, TrySend, only_when_asked

Order = Callable[[str], Any]
"""Of a cursor, what compares as events follow each other."""


class CatchUpStream:
    """One reader who goes on: `async for frame in resumed`, as with a `Listener`.

    Once its own group is up to date, the common one is joined as well. Both tell the same events in the same order, so
    as soon as the common one tells of an event that is known from the own one, it has everything that follows.
    """

    def __init__(
        self, own: SharedStream, common: Callable[[], SharedStream], order: Order, after: str, hand: TrySend
    ) -> None:
        self._own = own
        self._common = common
        self._order = order
        self._hand = hand
        self._alone, self._together = AsyncExitStack(), AsyncExitStack()
        self._behind: Subscriber | None = None
        self._live: Subscriber | None = None
        self._told: Any = order(after)
        """The place of the last event that the client has, as long as the common group may tell it again."""

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[Self]:
        """Listen for one block."""
        async with self._alone, self._together:
            self._behind = await self._alone.enter_async_context(self._own.joined(only_when_asked))
            yield self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        # Whoever waits may be cancelled, and ask again: nothing is taken before the last wait is over.
        while self._behind:
            if self._live is None and self._own.is_up_to_date:
                joined = self._common().joined(self._hand, self._knows)
                self._live = await self._together.enter_async_context(joined)
            elif self._live and self._live.has_left_out():
                self._behind = None
                await self._alone.aclose()
            else:
                frame = await anext(self._behind)
                self._told = self._place(frame)
                return frame
        assert self._live is not None, "it has taken over"
        return await anext(self._live)

    def _knows(self, frame: Frame) -> bool:
        if self._told is None:
            return False
        known: bool = self._place(frame) <= self._told
        if not known and self._behind is None:
            self._told = None  # nor is anything that follows
        return known

    def _place(self, frame: Frame) -> Any:
        assert frame.cursor is not None, "events have cursors"
        return self._order(frame.cursor)
