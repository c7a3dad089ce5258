"""Work that one of all processes does: the one whose connection holds an advisory lock of PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from fullon_graphql.database.database import Database

STANDBY_SECONDS: Final = 1.0
"""Pause between two attempts to take the lock."""


@asynccontextmanager
async def sole_process(
    database: Database, name: str, lock: int, stand_by: Callable[[], None]
) -> AsyncIterator[asyncpg.Connection]:
    """Wait for the lock, and hold it for the duration of the block, as long as the connection lives.

    `stand_by` is called at each attempt while another process has it. `name` shows in `pg_stat_activity`. Raises as
    `Database.dedicated_connection`.
    """
    async with database.dedicated_connection(name) as connection:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock):
            stand_by()
            await asyncio.sleep(STANDBY_SECONDS)
        yield connection
