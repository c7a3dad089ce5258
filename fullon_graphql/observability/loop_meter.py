"""How long the event loop is held: a timer of every process measures how late it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fullon_graphql.observability.metrics import LOOP_HOLDS, ProcessKind

INTERVAL: Final = 0.05
"""Seconds between two measurements: nothing should hold the loop for longer."""


@asynccontextmanager
async def measured_loop(process: ProcessKind) -> AsyncIterator[None]:
    """Measure the running event loop during the block."""
    meter = _Meter(process, asyncio.get_running_loop())
    try:
        yield
    finally:
        meter.stop()


class _Meter:
    def __init__(self, process: ProcessKind, loop: asyncio.AbstractEventLoop) -> None:
        self._process = process
        self._loop = loop
        self._due = loop.time()
        self._timer = self._next()

    def stop(self) -> None:
        self._timer.cancel()

    def _next(self) -> asyncio.TimerHandle:
        self._due = self._loop.time() + INTERVAL
        return self._loop.call_at(self._due, self._measure)

    def _measure(self) -> None:
        LOOP_HOLDS.add(self._process, max(0.0, self._loop.time() - self._due))
        self._timer = self._next()
