"""Corrections: the bars that this program has replaced by others, so that a query can read bars as of a time.

A correction is recorded in the transaction that replaces a stored bar by a different one. Changes by other programs,
and the times at which rows were added, are not recorded.
"""

# ruff: noqa: S608  # names come quoted from naming.py, values are bound

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

RECORDED: Final = text("SELECT to_regclass('fullon_graphql.candle_corrections') IS NOT NULL AS exists")
"""Whether the table of corrections exists."""

_CREATE: Final = [
    text("SELECT pg_advisory_xact_lock(hashtext('fullon_graphql.ohlcv.create'))"),
    text("CREATE SCHEMA IF NOT EXISTS fullon_graphql"),
    text("""
        CREATE TABLE IF NOT EXISTS fullon_graphql.candle_corrections (
            table_name text NOT NULL, time timestamptz NOT NULL, replaced_at timestamptz NOT NULL,
            open double precision NOT NULL, high double precision NOT NULL, low double precision NOT NULL,
            close double precision NOT NULL, volume double precision NOT NULL
        )
    """),
    text("""
        CREATE INDEX IF NOT EXISTS candle_corrections_of_bar
        ON fullon_graphql.candle_corrections (table_name, time, replaced_at)
    """),
]


async def create_corrections(connection: AsyncConnection) -> None:
    """Create the table of corrections if it is missing."""
    if not await connection.scalar(RECORDED):
        for statement in _CREATE:
            await connection.execute(statement)


def record_replaced(table: str, volume: str) -> str:
    """An INSERT of the bars of `table` that the rows `given` of the same statement replace by different ones.

    `given` has the columns time, open, high, low, close and volume. A stored row that is no bar is not recorded.
    """
    prices = [f"stored.{column}" for column in ("open", "high", "low", "close")]
    finite = " AND ".join(f"abs({price}) < 'infinity'" for price in prices)
    stored, volume = ", ".join(prices), f"stored.{volume}"
    return f"""
        INSERT INTO fullon_graphql.candle_corrections (table_name, time, replaced_at, open, high, low, close, volume)
        SELECT {_literal(table)}, stored."timestamp", clock_timestamp(), {stored},
            CASE WHEN abs({volume}) < 'infinity' THEN {volume} ELSE 0 END
        FROM given JOIN {table} AS stored ON stored."timestamp" = given.time
        WHERE {finite} AND ({stored}, {volume})
            IS DISTINCT FROM (given.open, given.high, given.low, given.close, given.volume)
    """


def first_correction(table: str) -> str:
    """The values that a row `stored` of `table` had at the time in the parameter as_of; no row if it has them still."""
    return f"""
        SELECT open AS was_open, high AS was_high, low AS was_low, close AS was_close, volume AS was_volume
        FROM fullon_graphql.candle_corrections
        WHERE table_name = {_literal(table)} AND time = stored."timestamp"
            AND replaced_at > CAST(:as_of AS timestamptz)
        ORDER BY replaced_at LIMIT 1
    """


def _literal(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
