"""Background work: parsing, validating and compiling unknown documents in one thread beside the event loop.

CPU-bound work in a thread gives up the GIL every `sys.getswitchinterval()`, so the event loop waits for a few
milliseconds at a time and never for a whole document. One thread keeps the loop's share of the processor at a half.
uvloop takes the GIL again for each ready socket, so one turn of the loop can wait several times.

Compiling SQL leaves thousands of objects in reference cycles. They are collected at the end of each task, while they
are young: a collection takes a few milliseconds then, and those of many tasks would take hundreds.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

from fullon_graphql.errors import ServiceUnavailable

T = TypeVar("T")

MOST_WAITING: Final = 500
"""The most tasks that wait for the thread; each belongs to one request."""

YOUNG: Final = 1
"""The generation that is collected, with the younger one."""

SWITCH_INTERVAL: Final = 0.001
"""Seconds for which the planner's thread keeps the GIL while the event loop waits for it; Python's default is 0.005."""

_thread = ThreadPoolExecutor(1, "planner")


async def in_background(work: Callable[[], T]) -> T:
    """The result of `work`, executed in the planner's thread.

    Raises:
        ServiceUnavailable: too many tasks are waiting.
    """
    if _thread._work_queue.qsize() >= MOST_WAITING:  # no public attribute has the length of the queue
        raise ServiceUnavailable("planner", "Too many new documents are being planned; try again shortly.")
    return await asyncio.get_running_loop().run_in_executor(_thread, _collected, work)


@contextmanager
def short_turns() -> Iterator[None]:
    """Let the threads of this process give up the GIL after `SWITCH_INTERVAL`, for the duration of the block."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _collected(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        gc.collect(YOUNG)
