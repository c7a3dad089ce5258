"""The one path of an orderly shutdown.

    SIGTERM
      └─ our server (`server/uvicorn_config.py`) calls `Shutdown.begin` with DRAIN_SECONDS
           ├─ /health/ready answers 503, new sockets and streams are refused, requests are answered
           ├─ one after the other, WebSocket sessions take no new operations, answer those they have begun, and close
           │  with 1012; streams over HTTP send the end of their framing and finish the response
           └─ the server stops accepting and asks each connection to shut down, and our protocols
              (`server/protocols.py`, `server/sockets.py`) call `Shutdown.begin` again, which ends all that are
              still open

`Shutdown` is part of the lifespan state, so a transport finds it in `scope["state"]["shutdown"]`. Connections that are
still open after the shutdown timeout are closed by the protocols. Under another server nothing calls `begin`, and
connections are closed without notice.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final, cast

from starlette.types import Scope

STATE_KEY: Final = "shutdown"
"""The key in the lifespan state."""

QUIET_SHARE: Final = 0.1
"""The share of the drain before the first connection is closed: load balancers notice that the server is not ready."""

SHORTEST_RETRY, LONGEST_RETRY = 1, 3
"""Seconds after which clients are asked to connect again."""


class Shutdown:
    """Announces the shutdown of the server to what would otherwise stay open."""

    def __init__(self) -> None:
        self.has_begun = False
        self._callbacks: set[Callable[[], None]] = set()
        """Those that have not been called."""

    def begin(self, seconds: float = 0.0) -> None:
        """Call every callback once, in random order, spread over `seconds`; at once if that is 0.

        A later call with 0 calls those that remain.
        """
        self.has_begun = True
        waiting = list(self._callbacks)
        random.shuffle(waiting)
        quiet = seconds * QUIET_SHARE
        for position, callback in enumerate(waiting):
            if seconds:
                delay = quiet + (seconds - quiet) * position / len(waiting)
                asyncio.get_running_loop().call_later(delay, self._call, callback)
            else:
                self._call(callback)

    def add(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the shutdown; at once if it has begun. The caller calls `discard` in the end."""
        if self.has_begun:
            callback()
        else:
            self._callbacks.add(callback)

    def discard(self, callback: Callable[[], None]) -> None:
        """Do not call `callback` any more."""
        self._callbacks.discard(callback)

    @property
    def waiting(self) -> int:
        """The number of callbacks that have not been called."""
        return len(self._callbacks)

    def _call(self, callback: Callable[[], None]) -> None:
        if callback in self._callbacks:
            self._callbacks.remove(callback)
            callback()


def shutdown_of(scope: Scope) -> Shutdown:
    """The shutdown of the worker that serves this connection."""
    return cast("Shutdown", scope["state"][STATE_KEY])


def begin_shutdown(state: dict[str, Any]) -> None:
    """Begin the shutdown in the lifespan state `state` at once; nothing happens under an application that has none."""
    shutdown = state.get(STATE_KEY)
    if isinstance(shutdown, Shutdown):
        shutdown.begin()


def retry_seconds() -> int:
    """Seconds after which one client is asked to connect again: random, so that clients do not come together."""
    return random.randint(SHORTEST_RETRY, LONGEST_RETRY)  # noqa: S311  # spreads load, protects nothing
