"""Garbage collection: short collections of newer objects while requests are served, and rarely one of all objects."""

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
STEP: Final = 8 * 2**20
"""Further bytes of resident memory after which a collection is due. Larger steps make longer pauses."""
THOROUGH: Final = 256 * 2**20
"""Further bytes of resident memory after which a collection visits the objects that earlier ones have left, too."""
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
    """Collects after each `STEP` of further memory, and freezes the objects that are left.

    So each collection visits newer objects only, and its pause does not grow with the worker. A frozen object is freed
    once nothing refers to it, but not as a part of a cycle: once the memory has grown by `THOROUGH`, a collection
    visits all objects. If less than half of the growth was garbage, the next of these is due after twice as much.
    """

    def __init__(self, resident: Callable[[], int] = resident_bytes, collect: Callable[[], int] = gc.collect) -> None:
        self._resident = resident
        self._collect = collect
        self._last = self._last_thorough = resident()
        self._until_thorough = THOROUGH

    def collect_if_due(self) -> bool:
        """Collect, and return True, if the worker has grown enough."""
        resident = self._resident()
        if resident - self._last < STEP:
            return False
        growth = resident - self._last_thorough
        is_thorough = growth >= self._until_thorough
        if is_thorough:
            gc.unfreeze()
        freed = self._collect() * OBJECT_BYTES
        gc.freeze()
        self._last = self._resident()
        if is_thorough:
            self._until_thorough = THOROUGH if 2 * freed >= growth else 2 * self._until_thorough
            self._last_thorough = self._last
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
