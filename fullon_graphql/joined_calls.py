"""Equal calls that wait at the same time share one answer, so that the work does not grow with their number."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class JoinedCalls(Generic[T]):
    """Runs one function for all callers, one run at a time.

    A caller receives the outcome of a run that began after the call, so no result is older than its request. Callers
    that wait while a run is on its way share the next one, also its error. A canceled run is not shared.
    """

    def __init__(self, run: Callable[[], Awaitable[T]]) -> None:
        self.callers = 0
        """Callers that wait for an outcome."""
        self._run = run
        self._turn = asyncio.Lock()
        self._begun = 0
        """Number of runs that have begun."""
        self._newest: tuple[int, T | Exception] | None = None
        """The number and the outcome of the newest completed run."""

    async def __call__(self) -> T:
        """The result of a run that begins after this call.

        Raises:
            Exception: as the function raises.
        """
        already_begun = self._begun
        self.callers += 1
        try:
            async with self._turn:
                if self._newest is None or self._newest[0] <= already_begun:
                    self._begun += 1
                    self._newest = self._begun, await self._outcome()
                outcome = self._newest[1]
        finally:
            self.callers -= 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _outcome(self) -> T | Exception:
        try:
            return await self._run()
        except Exception as error:  # for every caller that waits
            return error


class KeyedCalls(Generic[K, T]):
    """The same for one function of one argument: calls with equal arguments share a run. It keeps no results."""

    def __init__(self, run: Callable[[K], Awaitable[T]]) -> None:
        self._run = run
        self._calls: dict[K, JoinedCalls[T]] = {}

    async def __call__(self, key: K) -> T:
        """The result for `key` of a run that begins after this call.

        Raises:
            Exception: as the function raises.
        """
        calls = self._calls.get(key)
        if calls is None:
            calls = self._calls[key] = JoinedCalls(lambda: self._run(key))
        try:
            return await calls()
        finally:
            if not calls.callers:
                self._calls.pop(key, None)
