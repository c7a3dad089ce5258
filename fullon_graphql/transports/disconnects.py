"""Disconnects: cancels the work for an HTTP client that has closed its connection."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final

from starlette.types import Receive

from fullon_graphql.timers import SharedTimer

GRACE_SECONDS: Final = 0.1
"""Seconds after which a request is watched; most are answered before, and cost no task."""

_timer: Final = SharedTimer(GRACE_SECONDS)


class CancelOnDisconnect:
    """Cancels the block when the client disconnects; the block then ends without an exception, and `happened` is True.

    Enter it after the request's body has been read, because it receives the next message.
    """

    def __init__(self, receive: Receive) -> None:
        self.happened = False
        self._receive = receive
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> CancelOnDisconnect:
        task = self._task = _timer.running_task()
        _timer.add(self._start, task.get_loop())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        _timer.remove(self._start)
        if self._watcher:
            self._watcher.cancel()
        if self.happened:
            self._task.uncancel()
        return self.happened and isinstance(error, asyncio.CancelledError)

    def _start(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.happened = True
        self._task.cancel()
