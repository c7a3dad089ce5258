"""Garbage collection: few full collections while requests are served, and none of frozen objects."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

THRESHOLDS: Final = (10_000, 5, 1_000_000)
"""Allocations before a collection of the youngest objects, such collections before one of the next generation, and so
on; the last one keeps Python from starting a full collection."""

INTERVAL: Final = 60.0
"""Seconds between checks whether a full collection is due."""
GROWTH: Final = 250_000
"""Blocks of memory, about 25 MB, that a worker allocates between two full collections."""


class FullCollections:
    """Collects everything once the worker has grown by `GROWTH` since the last time."""

    def __init__(self) -> None:
        self._blocks = sys.getallocatedblocks()

    def collect_if_due(self) -> bool:
        """Collect, and return True, if the worker has grown enough."""
        if sys.getallocatedblocks() - self._blocks < GROWTH:
            return False
        gc.collect()
        self._blocks = sys.getallocatedblocks()
        return True


@asynccontextmanager
async def scheduled_collection() -> AsyncIterator[None]:
    """Freeze the objects of the start-up, and collect others when they have grown, for the duration of the block."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
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
