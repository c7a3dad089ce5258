"""Connections of the driver itself, for statements that were compiled beforehand.

asyncpg's own pool spends a task and several checks on every release, a tenth of a small query. Only single read
statements run here, so there is nothing to reset: a connection goes back as it is, or not at all when its statement
did not end well.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

import asyncpg


class ReadPool:
    """At most `size` connections to one database, made when they are needed; the one used last is used next."""

    def __init__(self, address: str, size: int, options: dict[str, Any]) -> None:
        self._address = address
        self._options = options
        self._idle: list[asyncpg.Connection] = []
        self._places = asyncio.Semaphore(size)
        self._timeout_seconds: float = options["timeout"]

    def connection(self) -> PooledConnection:
        """A connection for one statement.

        Raises:
            TimeoutError: all of them were busy for too long, or none could be made in time.
            OSError, asyncpg.PostgresError: none could be made.
        """
        return PooledConnection(self)

    async def acquire(self) -> asyncpg.Connection:
        """A connection that nobody else has until it is given back."""
        if self._places.locked():
            async with asyncio.timeout(self._timeout_seconds):
                await self._places.acquire()
        else:
            await self._places.acquire()
        try:
            return self._usable() or await asyncpg.connect(self._address, **self._options)
        except BaseException:
            self._places.release()
            raise

    def release(self, connection: asyncpg.Connection, error: BaseException | None) -> None:
        """Whose statement has ended, with `error` where it did not end well."""
        if error is None or isinstance(error, asyncpg.PostgresError):  # also where it was refused in good order
            self._idle.append(connection)
        else:
            connection.terminate()  # whatever it was doing, nobody waits for the end of it
        self._places.release()

    async def dedicated(self, name: str) -> asyncpg.Connection:
        """A connection beside the others, its owner's to close; `name` shows in `pg_stat_activity`.

        Raises:
            TimeoutError, OSError, asyncpg.PostgresError: none could be made.
        """
        named = self._options["server_settings"] | {"application_name": name}
        return await asyncpg.connect(self._address, **self._options | {"server_settings": named})

    async def close(self) -> None:
        """Close what is idle. Who still uses a connection ends it by not giving it back to anybody."""
        while self._idle:
            await self._idle.pop().close(timeout=self._timeout_seconds)

    def _usable(self) -> asyncpg.Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None


class PooledConnection:
    """One connection for one block. A class, because a generator would cost as much as all the rest of it."""

    __slots__ = ("_connection", "_connections")
    _connection: asyncpg.Connection

    def __init__(self, connections: ReadPool) -> None:
        self._connections = connections

    async def __aenter__(self) -> asyncpg.Connection:
        self._connection = await self._connections.acquire()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connections.release(self._connection, error)
