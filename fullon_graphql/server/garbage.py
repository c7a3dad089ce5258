"""Garbage collection: short full collections while requests are served, and none of frozen objects."""

from __future__ import annotations

import asyncio
import atexit
import gc
import resource
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

THRESHOLDS: Final = (10_000, 5, 1_000_000)
"""Allocations before a collection of the youngest objects, such collections before one of the next generation, and so
on; the last one keeps Python from starting a full collection."""

INTERVAL: Final = 1.0
"""Seconds between checks whether a full collection is due."""
STEP: Final = 16 * 2**20
"""Further bytes of resident memory after which a full collection is due. Larger steps make longer pauses."""
OBJECT_BYTES: Final = 100
"""The estimated size of a collected object."""


def resident_bytes() -> int:
    """The resident memory of this process; without /proc, the most that it has been."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return pages * resource.getpagesize()


class FullCollections:
    """Collects everything after each `STEP` of further memory, as long as much of that is garbage.

    A collection that frees less than half of the growth has met objects that stay, e.g. those of sockets: the next one
    is due after twice as much growth.
    """

    def __init__(self, resident: Callable[[], int] = resident_bytes, collect: Callable[[], int] = gc.collect) -> None:
        self._resident = resident
        self._collect = collect
        self._last = resident()
        self._step = STEP

    def collect_if_due(self) -> bool:
        """Collect, and return True, if the worker has grown enough."""
        growth = self._resident() - self._last
        if growth < self._step:
            return False
        freed = self._collect() * OBJECT_BYTES
        self._step = STEP if 2 * freed >= growth else 2 * self._step
        self._last = self._resident()
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
