"""A pool of asyncpg connections for precompiled read statements.

asyncpg's own pool spends a task and several checks on every release, a tenth of the time of a small query. Only single
read statements run here, so there is nothing to reset: a connection returns to the pool as it is, and is closed after
an error other than PostgreSQL's own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import asyncpg

from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.database.failures import connect, ended_before_answer, report
from fullon_graphql.observability.pools import PoolUse
from fullon_graphql.timers import SharedTimer, TimeLimit

T = TypeVar("T")
Fetch: TypeAlias = Callable[..., Awaitable[T]]


class ReadPool:
    """At most `size` connections to one database, opened on demand and reused last in, first out."""

    def __init__(self, address: str, size: int, options: dict[str, Any], breaker: CircuitBreaker) -> None:
        self._address = address
        self._breaker = breaker
        self._openings = 0
        self._size = size
        self._in_use = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        """Callers that wait for a connection, the first one first."""
        self._options = options
        self._idle: list[asyncpg.Connection] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._timeout_seconds: float = options["timeout"]
        self._timer = SharedTimer(self._timeout_seconds)

    @property
    def use(self) -> PoolUse:
        """Its use at this moment."""
        return PoolUse(self._size, self._in_use, len(self._waiting))

    async def run(self, fetch: Fetch[T], sql: str, values: Sequence[Any], repetitions: int = 1) -> T:
        """The result of one statement; `fetch` is the method of asyncpg's connection that executes it.

        If a connection has ended without an answer, as after a restart of the server, the statement is repeated on a
        new one, unless it is the breaker's probe.

        Raises:
            CircuitOpen: the database does not answer.
            TimeoutError: no connection became free, or could be opened, in time.
            OSError, asyncpg.PostgresError: the connection could not be opened, or the statement failed.
        """
        connection = await self._acquire()
        try:
            found = await fetch(connection, sql, *values)
        except BaseException as error:
            if not repetitions or self._breaker.state != "closed" or not ended_before_answer(error):
                self._release(connection, error)
                raise
        else:
            self._release(connection, None)
            return found
        connection.terminate()
        self._drop_idle()  # the server may have closed them all
        self._free()
        return await self.run(fetch, sql, values, repetitions - 1)

    async def _acquire(self) -> asyncpg.Connection:
        if not self._breaker.is_clear:
            self._breaker.admit()
        if self._in_use < self._size:
            self._in_use += 1
        else:
            await self._place()
        try:
            return self._usable() or await connect(self._breaker, self._address, **self._options)
        except BaseException:
            self._free()
            raise

    def _release(self, connection: asyncpg.Connection, error: BaseException | None) -> None:
        """Return a connection whose statement has ended, with its `error` if it failed."""
        if error is not None or not self._breaker.is_clear:
            report(self._breaker, error)
        if error is None or isinstance(error, asyncpg.PostgresError):  # refused by the server: it is in order
            self._idle.append(connection)
        elif isinstance(error, asyncio.CancelledError):
            task = asyncio.create_task(_end(connection, self._timeout_seconds))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        else:
            connection.terminate()  # the statement may still be running
        self._free()

    async def close(self) -> None:
        """Close all idle connections, and those that are ending."""
        await asyncio.gather(*self._ending)
        while self._idle:
            await self._idle.pop().close(timeout=self._timeout_seconds)

    async def _place(self) -> None:
        """Wait until another caller passes its place on. It stays counted as in use."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            with TimeLimit(self._timer):
                await waiter
        except BaseException:
            with suppress(ValueError):
                self._waiting.remove(waiter)
            if waiter.done() and not waiter.cancelled():
                self._free()  # it was passed on at the same moment
            raise

    def _free(self) -> None:
        """Give up a place: the first caller that waits gets it."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._in_use -= 1

    def _usable(self) -> asyncpg.Connection | None:
        if self._openings != self._breaker.openings:
            self._openings = self._breaker.openings
            self._drop_idle()
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _drop_idle(self) -> None:
        """Close all idle connections: their other ends may be gone."""
        while self._idle:
            self._idle.pop().terminate()


async def _end(connection: asyncpg.Connection, timeout_seconds: float) -> None:
    """Close a connection whose statement was canceled; `terminate` would drop the cancel request to PostgreSQL."""
    with suppress(Exception):
        await connection.close(timeout=timeout_seconds)
