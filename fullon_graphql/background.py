"""Background tasks of a process: named, restarted after a failure, counted, and visible in `/health`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import structlog

from fullon_graphql.errors import Internal, as_fullon_error

log = structlog.get_logger(__name__)

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
"""Seconds between a failure and the restart: the first pause, doubled after each failure up to the longest."""

Ready: TypeAlias = Callable[[], None]
"""Reports that the task works: it is no longer down, and its next failure is followed by the first pause."""

Work: TypeAlias = Callable[[Ready], Awaitable[None]]
"""The work of a task, which runs until it is cancelled. Returning counts as a failure, as raising does."""


class EndedError(Exception):
    """A background task returned, although it should run until it is cancelled."""


class BackgroundTask:
    """One supervised task."""

    def __init__(self, name: str, work: Work, on_failure: Callable[[str], None]) -> None:
        self.name = name
        self.is_down = False
        """True from a failure until the task reports that it works again."""
        self._work = work
        self._on_failure = on_failure
        self._pause = FIRST_PAUSE
        self._task = asyncio.create_task(self._supervise(), name=name)

    def cancel(self) -> asyncio.Task[None]:
        """Request the end of the task; await the result to see it."""
        self._task.cancel()
        return self._task

    async def _supervise(self) -> None:
        while True:
            try:
                await self._work(self._ready)
                raise EndedError(f"{self.name} returned")
            except Exception as error:  # any error: the process depends on the next attempt
                self._fail(error)
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _ready(self) -> None:
        self.is_down = False
        self._pause = FIRST_PAUSE

    def _fail(self, error: Exception) -> None:
        is_bug = isinstance(as_fullon_error(error, ""), Internal)
        log.warning("background.failed", task=self.name, error=repr(error), retry_in=self._pause, exc_info=is_bug)
        self.is_down = True
        self._on_failure(self.name)


class BackgroundTasks:
    """All supervised tasks of one process."""

    def __init__(self) -> None:
        self._tasks: set[BackgroundTask] = set()
        self._failures: Counter[str] = Counter()

    @property
    def names(self) -> set[str]:
        """Names of all tasks that run."""
        return {task.name for task in self._tasks}

    @property
    def down(self) -> list[str]:
        """Names of the tasks that have failed and do not work again yet, in order."""
        return sorted({task.name for task in self._tasks if task.is_down})

    @property
    def failures(self) -> Mapping[str, int]:
        """Failures since the process started, by name. A task that never failed has none."""
        return self._failures

    def start(self, name: str, work: Work) -> BackgroundTask:
        """Start a task. The caller passes it to `stop` in the end."""
        task = BackgroundTask(name, work, self._count)
        self._tasks.add(task)
        return task

    async def stop(self, *tasks: BackgroundTask) -> None:
        """Cancel `tasks` and wait until all of them have ended."""
        self._tasks.difference_update(tasks)
        if tasks:
            await asyncio.wait({task.cancel() for task in tasks})

    @asynccontextmanager
    async def running(self, work: Mapping[str, Work]) -> AsyncIterator[None]:
        """Run a task for each name while the block runs."""
        tasks = [self.start(name, one) for name, one in work.items()]
        try:
            yield
        finally:
            await self.stop(*tasks)

    def _count(self, name: str) -> None:
        self._failures[name] += 1
