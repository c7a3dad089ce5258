"""Equal calls that wait at the same time share one answer, so that the work does not grow with their number."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Outcome(NamedTuple, Generic[T]):
    """The result of a run, and the number of calls that have shared it."""

    result: T
    calls: int


@dataclass(slots=True)
class _Batch(Generic[T]):
    """The calls that one run answers. It begins when the run before it has ended."""

    task: asyncio.Task[T]
    calls: int = 0
    left: int = 0
    """The calls that have not been canceled."""


class KeyedCalls(Generic[K, T]):
    """Runs a function of one argument; equal calls that wait at the same time share a run. It keeps no results.

    A call receives the outcome of a run that begins after it, so no result is older than its request. While a run is on
    its way, further equal calls wait until it ends, at most `most_seconds`, and then share the next one with its result
    or error. A canceled call leaves a shared run to the others; a run without calls is canceled.
    """

    def __init__(self, run: Callable[[K], Awaitable[T]], most_seconds: float | None = None) -> None:
        self._run = run
        self._most_seconds = most_seconds
        self._newest: dict[K, asyncio.Future[None]] = {}
        """The end of the newest run that is on its way."""
        self._waiting: dict[K, _Batch[T]] = {}
        """The calls that wait for that end."""
        self._tasks: set[asyncio.Task[T]] = set()

    async def __call__(self, key: K) -> T:
        """The result for `key` of a run that begins after this call.

        Raises:
            Exception: as the function raises.
        """
        return (await self.counted(key)).result

    async def counted(self, key: K) -> Outcome[T]:
        """The same, with the number of calls that have shared the run."""
        batch = self._waiting.get(key)
        if batch is None:
            if key not in self._newest:
                return Outcome(await self._next(key), 1)
            batch = self._new_batch(key)
        batch.calls += 1
        batch.left += 1
        try:
            return Outcome(await asyncio.shield(batch.task), batch.calls)
        except asyncio.CancelledError:
            self._leave(key, batch)
            raise
        finally:
            del batch  # an error would keep itself alive: its traceback has this frame

    async def close(self) -> None:
        """Wait for the shared runs that are on their way."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _new_batch(self, key: K) -> _Batch[T]:
        task = asyncio.create_task(self._shared(key), name="joined calls")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        batch = self._waiting[key] = _Batch(task)
        return batch

    def _leave(self, key: K, batch: _Batch[T]) -> None:
        """A call of the batch was canceled."""
        batch.left -= 1
        if not batch.left:
            batch.task.cancel()
            if self._waiting.get(key) is batch:
                del self._waiting[key]

    async def _shared(self, key: K) -> T:
        """The run of the calls that wait."""
        if newest := self._newest.get(key):
            await asyncio.wait([newest], timeout=self._most_seconds)
        del self._waiting[key]
        return await self._next(key)

    async def _next(self, key: K) -> T:
        """One run, whose end further calls wait for."""
        end = self._newest[key] = asyncio.get_running_loop().create_future()
        try:
            return await self._run(key)
        finally:
            end.set_result(None)
            if self._newest.get(key) is end:
                del self._newest[key]


class JoinedCalls(Generic[T]):
    """The same for a function without arguments."""

    def __init__(self, run: Callable[[], Awaitable[T]]) -> None:
        self._calls: KeyedCalls[None, T] = KeyedCalls(lambda _: run())

    async def __call__(self) -> T:
        """The result of a run that begins after this call. Raises as the function does."""
        return await self._calls(None)


class SharedRuns:
    """Calls with equal keys share the run that is on its way, even if it began before them. It keeps no results.

    For results that are the same at any time; those of `KeyedCalls` are never older than the call. A canceled call
    leaves the run to the others.
    """

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}

    async def __call__(self, key: Hashable, run: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of `run`, or of that of an equal call. Raises as it does."""
        task: asyncio.Task[T] | None = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(run(), name="shared run")
            task.add_done_callback(lambda ended: self._end(key, ended))
        return await asyncio.shield(task)

    def _end(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # one that no call receives is not logged
