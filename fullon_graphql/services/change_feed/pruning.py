"""Pruning of the change feed: one worker at a time deletes changes older than the retention."""

from __future__ import annotations

import asyncio
from typing import Final

from sqlalchemy import text

from fullon_graphql.background import Ready
from fullon_graphql.database import Database
from fullon_graphql.models import OWN_SCHEMA
from fullon_graphql.services.change_feed.table import EDGE

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


class Pruning:
    """Deletes changes older than `hours` periodically; a background task."""

    def __init__(self, database: Database, hours: int) -> None:
        self._database = database
        self._hours = hours
        self._pause = PERIOD
        self._below = 0  # the first round deletes nothing: a change must have been readable for one period

    async def run(self, ready: Ready) -> None:
        """Prune until cancelled. After a failure the restarted task prunes at once."""
        while True:
            await asyncio.sleep(self._pause)
            self._pause = 0.0
            await prune(self._database, self._hours, self._below)
            self._below = await edge(self._database)
            self._pause = PERIOD
            ready()


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


async def _prune_batch(database: Database, hours: int, below: int) -> int:
    async with database.transaction() as connection:
        if not await connection.scalar(_OUR_TURN):
            return 0
        return int(await connection.scalar(_PRUNE, {"hours": hours, "below": below}) or 0)
