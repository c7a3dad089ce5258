"""`python -m tests.fuzz.observed_server`: the command line, with a watch on the pauses of the server's event loop.

A pause is CPU time of the event loop's thread between the moment when a callback is ready and its call. The
time of other threads, other processes and I/O does not count.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

import fullon_graphql.app
from fullon_graphql.cli import main

LONGEST_PAUSE: Final = 0.1
"""Seconds of a pause above which it is logged."""
INTERVAL: Final = 0.01
PAUSED: Final = "fuzz.paused"
"""The event that is logged, with the stack in the middle of the pause."""

_open_state = fullon_graphql.app.open_state
log = structlog.get_logger(__name__)


@asynccontextmanager
async def observed_state(*arguments: Any) -> AsyncIterator[Any]:
    """`open_state`, with the watch running in a thread."""
    async with _open_state(*arguments) as state:
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(asyncio.get_running_loop(), threading.get_ident(), ended))
        watch.start()
        try:
            yield state
        finally:
            ended.set()


def _watch(loop: asyncio.AbstractEventLoop, thread: int, ended: threading.Event) -> None:
    clock = time.pthread_getcpuclockid(thread)
    while not ended.wait(INTERVAL):
        called, stack, began = threading.Event(), "", time.clock_gettime(clock)
        loop.call_soon_threadsafe(called.set)
        while not called.wait(INTERVAL) and not ended.is_set():
            if not stack and time.clock_gettime(clock) - began > LONGEST_PAUSE / 2:
                stack = "".join(traceback.format_stack(sys._current_frames()[thread])[-6:])
        if (paused := time.clock_gettime(clock) - began) > LONGEST_PAUSE:
            log.warning(PAUSED, seconds=round(paused, 3), stack=stack)


if __name__ == "__main__":
    fullon_graphql.app.open_state = observed_state  # type: ignore[assignment]  # passes its arguments on
    main()
