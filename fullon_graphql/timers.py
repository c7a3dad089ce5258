"""Timers for many waits: one timer of the event loop serves all of them.

A timer for each request, as `asyncio.timeout` sets one, costs 2 % of a small request; an entry here a tenth of that.
One of the event loop takes 0.7 kB, an entry at most 0.25.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from types import TracebackType
from typing import Any, TypeAlias

Function: TypeAlias = Callable[[], object]


class SharedTimer:
    """Calls each function `seconds` after it was added, unless it was removed before."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._moments: dict[Function, float] = {}
        """When each function is due. The first one that was added is the first one due."""
        self._is_set = False

    def add(self, function: Function, loop: asyncio.AbstractEventLoop) -> None:
        """Call a function when the time has passed. It must be quick. An error goes to the handler of the event loop.

        `loop` is the running event loop. The caller has it from its task: looking it up costs a system call.
        """
        if loop is not self._loop:
            self._loop, self._is_set = loop, False
            self._moments.clear()
        self._moments[function] = loop.time() + self._seconds
        if not self._is_set:
            self._set(loop)

    def running_task(self) -> asyncio.Task[Any]:
        """The task that runs now. The timer's loop is tried first, because looking the running one up is expensive."""
        task = (self._loop and asyncio.current_task(self._loop)) or asyncio.current_task()
        assert task is not None, "called in a coroutine"
        return task

    def remove(self, function: Function) -> None:
        """Do not call the function. Without effect if it was called."""
        self._moments.pop(function, None)

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        first = next(iter(self._moments.values()), None)
        self._is_set = first is not None
        if first is not None:
            loop.call_at(first, self._call_due, loop)

    def _call_due(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        now = loop.time()
        due = []
        for function, moment in self._moments.items():
            if moment > now:
                break
            due.append(function)
        try:
            for function in due:
                if self._moments.pop(function, None) is not None:
                    function()
        finally:
            self._set(loop)


@dataclass(order=True, slots=True)
class Wait:
    """A function that waits for its moment, in seconds of the event loop's clock."""

    moment: float
    number: int
    """Waits with the same moment end in the order of their numbers."""
    function: Callable[[TimerQueue], object] | None = field(compare=False)
    """None once it was called or canceled."""


class TimerQueue:
    """Calls functions after waits of different lengths. They must be quick; errors go to the event loop's handler."""

    def __init__(self) -> None:
        self._waits: list[Wait] = []
        """A heap. At most half of them are canceled."""
        self._canceled = 0
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waits)

    def add(self, seconds: float, function: Callable[[TimerQueue], object]) -> Wait:
        """Call a function with this queue after `seconds`, or in the next turn of the event loop if none are left."""
        wait = Wait(asyncio.get_running_loop().time() + max(0.0, seconds), next(self._numbers), function)
        heappush(self._waits, wait)
        if self._waits[0] is wait:
            self._set()
        return wait

    def cancel(self, wait: Wait) -> None:
        """Do not call the function. Without effect if it was called."""
        if wait.function is None:
            return
        wait.function = None
        self._canceled += 1
        if 2 * self._canceled > len(self._waits):
            self._waits = [each for each in self._waits if each.function is not None]
            heapify(self._waits)
            self._canceled = 0
            self._set()

    def _set(self) -> None:
        if self._timer:
            self._timer.cancel()
        first = self._waits[0].moment if self._waits else None
        self._timer = None if first is None else asyncio.get_running_loop().call_at(first, self._call_due)

    def _call_due(self) -> None:
        now, first_new = asyncio.get_running_loop().time(), next(self._numbers)
        try:
            while self._waits and self._waits[0].moment <= now and self._waits[0].number < first_new:
                wait = heappop(self._waits)
                function, wait.function = wait.function, None
                if function is None:
                    self._canceled -= 1
                else:
                    function(self)
        finally:
            self._set()


class TimeLimit:
    """Cancels the block after the timer's time. The block then raises TimeoutError, as with `asyncio.timeout`."""

    __slots__ = ("_cancellations", "_is_over", "_task", "_timer")

    def __init__(self, timer: SharedTimer) -> None:
        self._timer = timer
        self._is_over = False

    def __enter__(self) -> None:
        task = self._timer.running_task()
        self._task, self._cancellations = task, task.cancelling()
        self._timer.add(self._end, task.get_loop())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.remove(self._end)
        is_ours = self._is_over and self._task.uncancel() <= self._cancellations
        if is_ours and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    def _end(self) -> None:
        self._is_over = True
        self._task.cancel()
