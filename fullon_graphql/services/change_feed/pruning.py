"""Pruning of the change feed: one worker at a time deletes changes older than the retention."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from sqlalchemy import text

from fullon_graphql.database import Database
from fullon_graphql.models import OWN_SCHEMA
from fullon_graphql.services.change_feed.table import EDGE

log = structlog.get_logger(__name__)

PERIOD: Final = 60.0
"""Seconds between two rounds. A change can be read for at least one period after it became visible."""
BATCH: Final = 5_000
"""Maximum number of changes that one transaction deletes."""

_OUR_TURN = text("SELECT pg_try_advisory_xact_lock(hashtext('fullon_graphql pruning of changes'))")

# Deletes from the oldest change up to the first one that is kept, so the remaining changes have no gaps.
_PRUNE = text(f"""
    WITH gone AS (
        DELETE FROM {OWN_SCHEMA}.changes AS changes USING (
            SELECT xid, seq, bool_and(at < now() - make_interval(hours => :hours)) OVER (ORDER BY xid, seq) AS expired
            FROM (
                SELECT xid, seq, at FROM {OWN_SCHEMA}.changes WHERE xid < :below ORDER BY xid, seq LIMIT {BATCH}
            ) AS oldest
        ) AS oldest
        WHERE (changes.xid, changes.seq) = (oldest.xid, oldest.seq) AND oldest.expired
        RETURNING changes.xid, changes.seq
    ), floor AS (
        INSERT INTO {OWN_SCHEMA}.changes_floor AS floor (xid, seq)
        SELECT xid, seq FROM gone ORDER BY xid DESC, seq DESC LIMIT 1
        ON CONFLICT (single) DO UPDATE SET xid = excluded.xid, seq = excluded.seq
        WHERE (floor.xid, floor.seq) < (excluded.xid, excluded.seq)
    )
    SELECT count(*) FROM gone
""")  # noqa: S608  # the schema's name is a constant of ours


@asynccontextmanager
async def pruning(database: Database, hours: int) -> AsyncIterator[None]:
    """Delete changes older than `hours` periodically while the block runs."""
    task = asyncio.create_task(_keep_pruning(database, hours), name="pruning of changes")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def prune(database: Database, hours: int, below: int) -> int:
    """Delete changes older than `hours`, of transactions below `below`, in bounded batches; returns their number."""
    total = 0
    while deleted := await _prune_batch(database, hours, below):
        total += deleted
    return total


async def edge(database: Database) -> int:
    """The oldest transaction that is running."""
    [(running,)] = await database.records(EDGE)
    return int(running)


async def _keep_pruning(database: Database, hours: int) -> None:
    below = 0  # the first round deletes nothing: a change must have been readable for one period
    while True:
        await asyncio.sleep(PERIOD)
        try:
            await prune(database, hours, below)
            below = await edge(database)
        except Exception as error:  # any error: the next round tries again
            log.warning("changes.not_pruned", error=repr(error))


async def _prune_batch(database: Database, hours: int, below: int) -> int:
    async with database.transaction() as connection:
        if not await connection.scalar(_OUR_TURN):
            return 0
        return int(await connection.scalar(_PRUNE, {"hours": hours, "below": below}) or 0)
