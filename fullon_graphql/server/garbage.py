"""Garbage collection: short full collections while requests are served, and none of frozen objects."""

from __future__ import annotations

import asyncio
import atexit
import gc
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

THRESHOLDS: Final = (10_000, 5, 1_000_000)
"""Allocations before a collection of the youngest objects, such collections before one of the next generation, and so
on; the last one keeps Python from starting a full collection."""

INTERVAL: Final = 1.0
"""Seconds between checks whether a full collection is due."""
STEP: Final = 10_000
"""Further memory blocks after which a full collection is due. Larger steps make longer pauses."""


class FullCollections:
    """Collects everything after each `STEP` of further blocks, as long as much of that is garbage.

    A collection that frees less than half of the growth has met objects that stay, e.g. those of sockets: the next one
    is due after twice as many blocks.
    """

    def __init__(self, allocated_blocks: Callable[[], int] = sys.getallocatedblocks) -> None:
        self._allocated_blocks = allocated_blocks
        self._last = allocated_blocks()
        self._step = STEP

    def collect_if_due(self) -> bool:
        """Collect, and return True, if the worker has grown enough."""
        before = self._allocated_blocks()
        if before < self._last + self._step:
            return False
        gc.collect()
        after = self._allocated_blocks()
        self._step = STEP if 2 * (before - after) >= before - self._last else 2 * self._step
        self._last = after
        return True


def leave_memory_to_the_system() -> None:
    """Collect nothing at the end of this process: visiting and freeing all objects takes seconds of a busy core."""
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


@contextmanager
def paused_collection() -> Iterator[None]:
    """No collections for the duration of the block.

    For imports and the start of an application, which keep nearly all objects that they create: 500 collections would
    take a tenth of their time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@asynccontextmanager
async def scheduled_collection() -> AsyncIterator[None]:
    """Freeze the objects of the start-up, and collect others when they have grown, for the duration of the block."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    leave_memory_to_the_system()
    task = asyncio.create_task(_collect(), name="garbage collection")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        gc.set_threshold(*before)
        gc.unfreeze()


async def _collect() -> None:
    collections = FullCollections()
    while True:
        await asyncio.sleep(INTERVAL)
        collections.collect_if_due()
