"""Connections of the driver itself, for statements that were compiled beforehand.

asyncpg's own pool spends a task and several checks on every release, a tenth of a small query. Only single read
statements run here, so there is nothing to reset: a connection goes back as it is, or not at all when its statement
did not end well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg


class Connections:
    """At most `size` connections to one database, made when they are needed; the one used last is used next."""

    def __init__(self, address: str, size: int, options: dict[str, Any]) -> None:
        self._address = address
        self._options = options
        self._idle: list[asyncpg.Connection] = []
        self._places = asyncio.Semaphore(size)
        self._patience: float = options["timeout"]

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for one statement.

        Raises:
            TimeoutError: all of them were busy for too long, or none could be made in time.
            OSError, asyncpg.PostgresError: none could be made.
        """
        if self._places.locked():
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        else:
            await self._places.acquire()
        try:
            connection = self._usable() or await asyncpg.connect(self._address, **self._options)
            try:
                yield connection
            except asyncpg.PostgresError:
                self._idle.append(connection)  # refused in good order
                raise
            except BaseException:
                connection.terminate()  # whatever it was doing, nobody waits for the end of it
                raise
            self._idle.append(connection)
        finally:
            self._places.release()

    async def close(self) -> None:
        """Close what is idle. Who still uses a connection ends it by not giving it back to anybody."""
        while self._idle:
            await self._idle.pop().close(timeout=self._patience)

    def _usable(self) -> asyncpg.Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None
