"""Garbage collection: no full collection while requests are served, except one per minute of unfrozen objects."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

THRESHOLDS: Final = (10_000, 20, 1_000_000)
"""Allocations before a collection of the youngest objects, such collections before one of the next generation, and so
on; the last one keeps Python from starting a full collection."""

INTERVAL: Final = 60.0
"""Seconds between full collections."""


@asynccontextmanager
async def scheduled_collection() -> AsyncIterator[None]:
    """Freeze the objects of the start-up, and collect the others once per minute for the duration of the block."""
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
    while True:
        await asyncio.sleep(INTERVAL)
        gc.collect()
