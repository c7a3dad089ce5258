"""Resuming after a cursor: past events come from a stream of the subscriber's own, live events from the shared stream.

The same holds for the rows of a snapshot, which are past events without a cursor to resume after.

After a restart every client resumes with its own cursor. If each kept its own source, nothing would be shared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeAlias

from fullon_graphql.streaming.backlog import Frame
from fullon_graphql.streaming.broadcast import SharedStream, Subscriber, TrySend, never_send

CursorOrder: TypeAlias = Callable[[str], Any]
"""The sort key of a cursor: events follow each other in this order."""


class CatchUpStream:
    """The frames after a cursor, or with a snapshot: `async for frame in stream`, as with a `Subscriber`.

    Once its own stream has caught up, the shared stream is joined as well. Both deliver the same events in the same
    order. As soon as the shared stream delivers an event that the client has, everything that follows comes from it,
    and the own stream is closed.
    """

    def __init__(
        self,
        own: SharedStream,
        shared: Callable[[], SharedStream],
        order: CursorOrder,
        after: str | None,
        try_send: TrySend,
    ) -> None:
        self._own = own
        self._shared = shared
        self._order = order
        self._try_send = try_send
        self._past: Subscriber | None = own.add(never_send)
        self._live: Subscriber | None = None
        self._left: list[Subscriber] = []
        """Those whose stream ends with them."""
        self._seen: Any = None if after is None else order(after)
        """The position of the client's newest event, as long as the shared stream may deliver older ones; None before
        the first one."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        if past := await self.next_past_frame():
            return past
        return await anext(self.live)

    @property
    def live(self) -> Subscriber:
        """The subscriber that has all further frames once there are no past ones."""
        assert self._live is not None, "the shared stream has taken over"
        return self._live

    async def next_past_frame(self) -> Frame | None:
        """The next frame of the own stream; None once the shared stream has taken over."""
        # The caller may be cancelled while it waits, and call again: no frame is taken before the last await.
        while self._past:
            if self._live is None and self._own.caught_up:
                self._live = self._shared().add(self._try_send, self._is_seen)
            elif self._live and self._live.has_dropped():
                past, self._past = self._past, None
                past.leave()
                await past.closed()
            else:
                frame = await anext(self._past)
                self._seen = self._position(frame)
                return frame
        return None

    def leave(self) -> bool:
        """End both subscribers. True if `closed` has to wait for the end of a stream."""
        self._left = [each for each in (self._past, self._live) if each and each.leave()]
        self._past = self._live = None
        return bool(self._left)

    async def closed(self) -> None:
        """Wait until the streams that have no subscriber any more are closed."""
        for subscriber in self._left:
            await subscriber.closed()

    def _is_seen(self, frame: Frame) -> bool:
        if self._seen is None:
            return False
        seen: bool = self._position(frame) <= self._seen
        if not seen and self._past is None:
            self._seen = None  # events come in order, so no later one can be older
        return seen

    def _position(self, frame: Frame) -> Any:
        assert frame.cursor is not None, "events have cursors"
        return self._order(frame.cursor)
