"""Garbage collection: short collections of newer objects while requests are served, and rarely one of all objects."""

from __future__ import annotations

import asyncio
import atexit
import gc
import resource
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from time import monotonic, process_time
from typing import Final

from fullon_graphql.errors import ServiceUnavailable

THRESHOLDS: Final = (10_000, 5, 1_000_000)
"""Allocations before a collection of the youngest objects, such collections before one of the next generation, and so
on; the last one keeps Python from starting a full collection."""

INTERVAL: Final = 1.0
"""Seconds between checks whether a full collection is due."""
OLDEST: Final = 2
"""The generation of objects that have survived collections of young objects."""
OBJECTS: Final = 20_000
"""Objects in the oldest generation after which a collection is due. Visiting them takes 10 ms of processor time."""
STEP: Final = 8 * 2**20
"""Further bytes of resident memory after which a collection is due, as few objects may hold much memory."""
THOROUGH: Final = 256 * 2**20
"""Further bytes of resident memory after which a collection visits the objects that earlier ones have left, too."""
OBJECT_BYTES: Final = 100
"""The estimated size of a collected object."""


Run = Callable[[Callable[[], bool]], Awaitable[bool]]


def resident_bytes() -> int:
    """The resident memory of this process; without /proc, the most that it has been."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return pages * resource.getpagesize()


def oldest_objects() -> int:
    """The objects that the next collection would visit, without the young ones."""
    return len(gc.get_objects(OLDEST))


class Idleness:
    """Called, True if this process has used less than a twentieth of a processor since the last call."""

    def __init__(self) -> None:
        self._last = monotonic(), process_time()

    def __call__(self) -> bool:
        (start, used), self._last = self._last, (monotonic(), process_time())
        return 20 * (self._last[1] - used) < self._last[0] - start


class FullCollections:
    """Collects after `OBJECTS` further objects or `STEP` of further memory, and freezes the objects that are left.

    So each collection visits newer objects only, and its pause does not grow with the worker. A frozen object is freed
    once nothing refers to it, but not as a part of a cycle: once the memory has grown by `THOROUGH` and the process is
    idle, or once it has grown by twice as much, a collection visits all objects. If less than half of the growth was
    garbage, the next of these is due after twice as much.
    """

    def __init__(
        self,
        resident: Callable[[], int] = resident_bytes,
        collect: Callable[[], int] = gc.collect,
        objects: Callable[[], int] = oldest_objects,
        is_idle: Callable[[], bool] | None = None,
    ) -> None:
        self._resident = resident
        self._objects = objects
        self._is_idle = is_idle or Idleness()
        self._collect = collect
        self._last = self._last_thorough = resident()
        self._until_thorough = THOROUGH

    def collect_if_due(self) -> bool:
        """Collect, and return True, if the worker has grown enough."""
        resident = self._resident()
        growth = resident - self._last_thorough
        is_thorough = growth >= self._until_thorough * (1 if self._is_idle() else 2)
        if not is_thorough and resident - self._last < STEP and self._objects() < OBJECTS:
            return False
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
async def scheduled_collection(run: Run) -> AsyncIterator[None]:
    """Freeze the objects of the start-up, and collect others when they have grown, for the duration of the block.

    `run` calls its argument between two tasks of the planner's thread: the thousands of objects of a statement that is
    being compiled become garbage in cycles, and would be frozen.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    leave_memory_to_the_system()
    task = asyncio.create_task(_collect(run), name="garbage collection")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        gc.set_threshold(*before)
        gc.unfreeze()


async def _collect(run: Run) -> None:
    collections = FullCollections()
    while True:
        await asyncio.sleep(INTERVAL)
        with suppress(ServiceUnavailable):  # too many tasks are waiting
            await run(collections.collect_if_due)
