"""Answers to several equal calls at once, for work that does not grow with the number of its callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class JoinedCalls(Generic[T]):
    """Runs one function for all callers, one run at a time.

    A caller receives the result of a run that began after the call, so no result is older than its request. Callers
    that wait while a run is on its way share the next one. An error is not shared: the next caller runs it again.
    """

    def __init__(self, run: Callable[[], Awaitable[T]]) -> None:
        self._run = run
        self._turn = asyncio.Lock()
        self._begun = 0
        """Number of runs that have begun."""
        self._newest: tuple[int, T] | None = None
        """The number and the result of the newest completed run."""

    async def __call__(self) -> T:
        """The result of a run that begins after this call.

        Raises:
            Exception: as the function raises.
        """
        already_begun = self._begun
        async with self._turn:
            if self._newest is None or self._newest[0] <= already_begun:
                self._begun += 1
                self._newest = self._begun, await self._run()
            return self._newest[1]
