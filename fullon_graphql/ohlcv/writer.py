"""Creating and filling candle tables, for imports and the candle daemon. Readers never create anything.

Every function works inside the caller's transaction.
"""

# ruff: noqa: S608  # names come quoted from naming.py, values are bound

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.errors import Conflict, shortened
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.naming import candles_table, quoted, schema_name, trades_table
from fullon_graphql.ohlcv.timeframes import Timeframe

_TRADES: Final = """
    "timestamp" timestamptz NOT NULL, price double precision NOT NULL, volume double precision NOT NULL,
    side text NOT NULL, type text NOT NULL, ord text NOT NULL DEFAULT '', PRIMARY KEY ("timestamp", ord)
"""  # many trades share a millisecond: only the exchange's trade id (`ord`) distinguishes them
_CANDLES: Final = """
    "timestamp" timestamptz PRIMARY KEY, open double precision NOT NULL, high double precision NOT NULL,
    low double precision NOT NULL, close double precision NOT NULL, vol double precision NOT NULL
"""
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtext('fullon_graphql.ohlcv.create'))")

REPLACE_CANDLE: Final = """
    ON CONFLICT ("timestamp") DO UPDATE
    SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, vol = excluded.vol
    WHERE (stored.open, stored.high, stored.low, stored.close, stored.vol)
        IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.vol)
"""
"""The end of an `INSERT INTO … AS stored`: a newer bar replaces the stored one, an equal one writes nothing."""


async def create_trades(connection: AsyncConnection, exchange: str, symbol: str) -> str:
    """Create the trades table of `symbol` if it is missing; returns its quoted name."""
    return await _create(connection, schema_name(exchange), trades_table(symbol), _TRADES, symbol)


async def create_candles(
    connection: AsyncConnection, exchange: str, symbol: str, timeframe: Timeframe = Timeframe.M1
) -> str:
    """Create the candle table of `symbol` if it is missing; returns its quoted name. Months have no table."""
    return await _create(connection, schema_name(exchange), candles_table(symbol, timeframe), _CANDLES, symbol)


async def require_own_tables(connection: AsyncConnection, exchange: str, symbol: str) -> None:
    """Require that tables created by this module are those of `symbol`.

    Raises:
        Conflict: they have the prices of another symbol of the exchange, whose tables have the same names.
    """
    names = [trades_table(symbol), *(candles_table(symbol, timeframe) for timeframe in Timeframe)]
    comments = await connection.scalars(_COMMENTS, {"schema": schema_name(exchange), "names": names})
    for comment in comments:
        other = comment.removeprefix(_OWNER)
        if other not in {comment, symbol}:
            raise Conflict(
                f"The tables of {shortened(symbol)} have the prices of {shortened(other)}: symbols that differ only in"
                " letter case, '/', ':', '-' and '_' share their tables."
            )


_OWNER: Final = "Prices of "
"""Begins the comment of a table: two symbols may have the same table names."""
_COMMENTS: Final = text("""
    SELECT obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relname = ANY(:names) AND obj_description(c.oid, 'pg_class') IS NOT NULL
""")
_COMMENT: Final = text("SELECT format('COMMENT ON TABLE %s IS %L', CAST(:name AS text), CAST(:comment AS text))")


async def upsert_candles(
    connection: AsyncConnection,
    exchange: str,
    symbol: str,
    candles: Iterable[Candle],
    timeframe: Timeframe = Timeframe.M1,
) -> int:
    """Store `candles`, replacing stored ones; returns the number of rows written.

    The table must exist. Of two bars with the same time the later in `candles` wins; a bar equal to the stored one is
    not written.
    """
    newest = {candle.time: candle for candle in candles}
    columns = zip(*newest.values(), strict=True) if newest else [()] * len(Candle._fields)
    arrays = dict(zip(Candle._fields, map(list, columns), strict=True))
    table = quoted(schema_name(exchange), candles_table(symbol, timeframe))
    result = await connection.execute(
        text(f"""
            INSERT INTO {table} AS stored ("timestamp", open, high, low, close, vol)
            SELECT * FROM unnest(
                CAST(:time AS timestamptz[]), CAST(:open AS float8[]), CAST(:high AS float8[]),
                CAST(:low AS float8[]), CAST(:close AS float8[]), CAST(:volume AS float8[]))
            {REPLACE_CANDLE}
        """),
        arrays,
    )
    return result.rowcount


async def _create(connection: AsyncConnection, schema: str, table: str, columns: str, symbol: str) -> str:
    name = quoted(schema, table)
    exists = await connection.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": name})
    if not exists:
        await connection.execute(_LOCK)  # concurrent creation would collide in the catalogue
        await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
        await connection.execute(text(f"CREATE TABLE IF NOT EXISTS {name} ({columns})"))
        comment = await connection.scalar(_COMMENT, {"name": name, "comment": _OWNER + symbol})
        await connection.exec_driver_sql(comment)
    return name
