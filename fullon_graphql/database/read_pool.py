"""A pool of asyncpg connections for precompiled read statements.

asyncpg's own pool spends a task and several checks on every release, a tenth of the time of a small query. Only single
read statements run here, so there is nothing to reset: a connection returns to the pool as it is, and is closed after
an error other than PostgreSQL's own.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Any

import asyncpg

from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.database.failures import connect, report
from fullon_graphql.observability.pools import PoolUse
from fullon_graphql.timers import SharedTimer, TimeLimit


class ReadPool:
    """At most `size` connections to one database, opened on demand and reused last in, first out."""

    def __init__(self, address: str, size: int, options: dict[str, Any], breaker: CircuitBreaker) -> None:
        self._address = address
        self._breaker = breaker
        self._openings = 0
        self._size = size
        self._in_use = 0
        self._waiting = 0
        self._options = options
        self._idle: list[asyncpg.Connection] = []
        self._free_slots = asyncio.Semaphore(size)
        self._ending: set[asyncio.Task[None]] = set()
        self._timeout_seconds: float = options["timeout"]
        self._timer = SharedTimer(self._timeout_seconds)

    @property
    def use(self) -> PoolUse:
        """Its use at this moment."""
        return PoolUse(self._size, self._in_use, self._waiting)

    def connection(self) -> PooledConnection:
        """A connection for one statement, as a context manager.

        Raises:
            CircuitOpen: the database does not answer.
            TimeoutError: no connection became free, or could be opened, in time.
            OSError, asyncpg.PostgresError: the connection could not be opened.
        """
        return PooledConnection(self)

    async def acquire(self) -> asyncpg.Connection:
        """A connection for exclusive use until `release`. Raises as `connection` does."""
        self._breaker.admit()
        if self._free_slots.locked():
            self._waiting += 1
            try:
                with TimeLimit(self._timer):
                    await self._free_slots.acquire()
            finally:
                self._waiting -= 1
        else:
            await self._free_slots.acquire()
        self._in_use += 1
        try:
            return self._usable() or await connect(self._breaker, self._address, **self._options)
        except BaseException:
            self._free()
            raise

    def release(self, connection: asyncpg.Connection, error: BaseException | None) -> None:
        """Return a connection whose statement has ended, with its `error` if it failed."""
        report(self._breaker, error)
        if error is None or isinstance(
            error, asyncpg.PostgresError
        ):  # refused by the server: the connection is in order
            self._idle.append(connection)
        elif isinstance(error, asyncio.CancelledError):
            task = asyncio.create_task(_end(connection, self._timeout_seconds))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        else:
            connection.terminate()  # the statement may still be running
        self._free()

    async def dedicated(self, name: str) -> asyncpg.Connection:
        """A connection outside the pool and the breaker, closed by the caller; `name` shows in `pg_stat_activity`.

        Raises:
            TimeoutError, OSError, asyncpg.PostgresError: the connection could not be opened.
        """
        named = self._options["server_settings"] | {"application_name": name}
        return await asyncpg.connect(self._address, **self._options | {"server_settings": named})

    async def close(self) -> None:
        """Close all idle connections, and those that are ending."""
        await asyncio.gather(*self._ending)
        while self._idle:
            await self._idle.pop().close(timeout=self._timeout_seconds)

    def _free(self) -> None:
        self._in_use -= 1
        self._free_slots.release()

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
        """Close connections from before the database stopped answering: their other ends may be gone."""
        while self._idle:
            self._idle.pop().terminate()


async def _end(connection: asyncpg.Connection, timeout_seconds: float) -> None:
    """Close a connection whose statement was canceled; `terminate` would drop the cancel request to PostgreSQL."""
    with suppress(Exception):
        await connection.close(timeout=timeout_seconds)


class PooledConnection:
    """One connection for one block. A class, because `asynccontextmanager` would double the cost."""

    __slots__ = ("_connection", "_pool")
    _connection: asyncpg.Connection

    def __init__(self, pool: ReadPool) -> None:
        self._pool = pool

    async def __aenter__(self) -> asyncpg.Connection:
        self._connection = await self._pool.acquire()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.release(self._connection, error)
