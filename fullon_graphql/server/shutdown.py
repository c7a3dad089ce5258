"""The one path of an orderly shutdown.

    uvicorn asks each connection to shut down (SIGTERM, or a worker is replaced)
      └─ our protocol (`server/protocols.py`) calls `Shutdown.begin`, once per worker
           ├─ WebSocket sessions take no new operations, answer those they have begun, and close with 1012
           └─ streams over HTTP send the end of their framing and finish the response

`Shutdown` is part of the lifespan state, so a transport finds it in `scope["state"]["shutdown"]`. Connections that are
still open after the shutdown timeout are closed by the protocols. Under another server nothing calls `begin`, and
connections are closed without notice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from starlette.types import Scope

STATE_KEY: Final = "shutdown"
"""The key in the lifespan state."""


class Shutdown:
    """Announces the shutdown of the server to what would otherwise stay open."""

    def __init__(self) -> None:
        self._begun = False
        self._callbacks: set[Callable[[], None]] = set()

    def begin(self) -> None:
        """Call every callback. Later calls do nothing."""
        if not self._begun:
            self._begun = True
            for callback in tuple(self._callbacks):
                callback()

    def add(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the shutdown begins; at once if it has begun. The caller calls `discard` in the end."""
        self._callbacks.add(callback)
        if self._begun:
            callback()

    def discard(self, callback: Callable[[], None]) -> None:
        """Do not call `callback` any more."""
        self._callbacks.discard(callback)


def shutdown_of(scope: Scope) -> Shutdown:
    """The shutdown of the worker that serves this connection."""
    return cast("Shutdown", scope["state"][STATE_KEY])
