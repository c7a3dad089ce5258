"""Creating and filling candle tables, for imports and the candle daemon. Readers never create anything.

Every function works inside the caller's transaction.
"""

# ruff: noqa: S608  # names come quoted from naming.py, values are bound

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.errors import Conflict, shortened
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.corrections import create_corrections, record_replaced
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


def replace_candle(volume: str = "vol") -> str:
    """The end of an `INSERT INTO … AS stored`: a newer bar replaces the stored one, an equal one writes nothing."""
    columns = ["open", "high", "low", "close", volume]
    stored, excluded = (", ".join(f"{row}.{column}" for column in columns) for row in ("stored", "excluded"))
    replaced = ", ".join(f"{column} = excluded.{column}" for column in columns)
    return f"""
    ON CONFLICT ("timestamp") DO UPDATE SET {replaced} WHERE ({stored}) IS DISTINCT FROM ({excluded})
"""


async def create_trades(connection: AsyncConnection, exchange: str, symbol: str) -> str:
    """Create the trades table of `symbol` if it is missing; returns its quoted name."""
    return await _create(connection, schema_name(exchange), trades_table(symbol), _TRADES, symbol)


async def create_candles(
    connection: AsyncConnection, exchange: str, symbol: str, timeframe: Timeframe = Timeframe.M1
) -> str:
    """Create the candle table of `symbol` if it is missing; returns its quoted name. Months have no table.

    The table of corrections, which writing candles requires, is created as well.
    """
    await create_corrections(connection)
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
    volume: str = "vol",
) -> int:
    """Store `candles`, replacing stored ones; returns the number of rows written. Replaced bars become corrections.

    The table must exist. Of two bars with the same time the later in `candles` wins; a bar equal to the stored one is
    not written. `volume` is the name of the table's column.
    """
    newest = {candle.time: candle for candle in candles}
    columns = zip(*newest.values(), strict=True) if newest else [()] * len(Candle._fields)
    arrays = dict(zip(Candle._fields, map(list, columns), strict=True))
    table = quoted(schema_name(exchange), candles_table(symbol, timeframe))
    result = await connection.execute(
        text(f"""
            WITH given AS (
                SELECT * FROM unnest(
                    CAST(:time AS timestamptz[]), CAST(:open AS float8[]), CAST(:high AS float8[]),
                    CAST(:low AS float8[]), CAST(:close AS float8[]), CAST(:volume AS float8[])
                ) AS given (time, open, high, low, close, volume)
            ), replaced AS ({record_replaced(table, volume)})
            INSERT INTO {table} AS stored ("timestamp", open, high, low, close, {volume})
            SELECT * FROM given
            {replace_candle(volume)}
        """),
        arrays,
    )
    return result.rowcount


class StoredTrade(NamedTuple):
    """A public trade to store: `time` is aware, `volume` in base currency, `id` the exchange's or made of the rest."""

    time: datetime
    price: float
    volume: float
    side: str
    id: str


async def insert_trades(
    connection: AsyncConnection, exchange: str, symbol: str, trades: Sequence[StoredTrade], *, with_ids: bool = True
) -> int:
    """Store `trades`, except those that are stored already; returns the number of new ones. The table must exist."""
    if not trades:
        return 0
    table = quoted(schema_name(exchange), trades_table(symbol))
    arrays = dict(zip(StoredTrade._fields, map(list, zip(*trades, strict=True)), strict=True))
    result = await connection.execute(
        text(f"""
            INSERT INTO {table} ("timestamp", price, volume, side, type{", ord" if with_ids else ""})
            SELECT time, price, volume, side, 'market'{", id" if with_ids else ""} FROM unnest(
                CAST(:time AS timestamptz[]), CAST(:price AS float8[]), CAST(:volume AS float8[]),
                CAST(:side AS text[]), CAST(:id AS text[])) AS trade (time, price, volume, side, id)
            ON CONFLICT DO NOTHING
        """),  # no conflict target: an older table may be unique in its time alone
        arrays,
    )
    return result.rowcount


class Form(NamedTuple):
    """The form of the tables of a symbol: `volume` is the candles' column, `trades` None without a table of trades."""

    volume: str
    trades: TradesForm | None


class TradesForm(NamedTuple):
    """Whether a table of trades has a column for their ids."""

    with_ids: bool


_FORM: Final = text("""
    SELECT c.relname AS name, c.relkind IN ('r', 'p') AS is_table,
        ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns,
        EXISTS (
            SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'timestamp'
            WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL AND i.indnkeyatts = 1
                AND i.indkey[0] = a.attnum
        ) AS is_unique
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relname = ANY(:names)
""")


async def require_form(connection: AsyncConnection, exchange: str, symbol: str) -> Form:
    """The form of the existing tables of a symbol, which must allow to write one-minute candles.

    Raises:
        Conflict: the candles are not a table, or lack a column or a unique index on the time alone.
    """
    candles, trades = candles_table(symbol), trades_table(symbol)
    rows = await connection.execute(_FORM, {"schema": schema_name(exchange), "names": [candles, trades]})
    found = {row.name: row for row in rows}
    table = found.get(candles)
    volume = next((name for name in ("vol", "volume") if table and name in table.columns), None)
    if table is None or not table.is_table or not table.is_unique or volume is None:
        raise Conflict(
            f"The candles of {shortened(symbol)} on {shortened(exchange)} cannot be written: {candles} must be a table"
            " with the columns timestamp, open, high, low, close and vol, and a unique index on timestamp."
        )
    return Form(volume, _trades_form(found.get(trades)))


def _trades_form(row: Row[Any] | None) -> TradesForm | None:
    """None unless the table can store trades; a table with other columns belongs to another program."""
    if row is None or not row.is_table or not {"timestamp", "price", "volume", "side", "type"} <= set(row.columns):
        return None
    return TradesForm("ord" in row.columns)


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
