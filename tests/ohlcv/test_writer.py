from __future__ import annotations

import asyncio

from sqlalchemy import text

from fullon_graphql.database import Database
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.writer import create_candles, upsert_candles
from tests.ohlcv.filling import NOON, flat, minutes, put_candles, read_candles, run


async def test_later_candle_replaces_all_values(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1))
    await put_candles(ohlcv_database, "GOLD", [flat(NOON, price=9, volume=5)])
    assert await read_candles(store, "kraken", "GOLD", Timeframe.M1) == [flat(NOON, 9, 5), *minutes(1)]


async def test_later_candle_of_one_batch_wins(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", [flat(NOON, price=1), flat(NOON, price=2)])
    assert await read_candles(store, "kraken", "GOLD", Timeframe.M1) == [flat(NOON, 2)]


async def test_equal_candles_are_not_written(ohlcv_database: Database) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 2))
    async with ohlcv_database.transaction() as connection:
        assert await upsert_candles(connection, "kraken", "GOLD", minutes(1, 2, 3)) == 1
        assert await upsert_candles(connection, "kraken", "GOLD", []) == 0


async def test_table_without_time_zone_stores_utc(ohlcv_database: Database, store: CandleStore) -> None:
    await run(ohlcv_database, "CREATE SCHEMA kraken")
    await run(
        ohlcv_database,
        'CREATE TABLE kraken.gold_candles1m ("timestamp" timestamp PRIMARY KEY, '
        "open float8, high float8, low float8, close float8, vol float8)",
    )
    await put_candles(ohlcv_database, "GOLD", minutes(0))
    assert await read_candles(store, "kraken", "GOLD", Timeframe.M1) == minutes(0)
    assert await ohlcv_database.row(text('SELECT "timestamp" FROM kraken.gold_candles1m')) == (
        NOON.replace(tzinfo=None),
    )


async def test_concurrent_creation_of_tables_succeeds(ohlcv_database: Database) -> None:
    async def create(symbol: str) -> str:
        async with ohlcv_database.transaction() as connection:
            return await create_candles(connection, "kraken", symbol)

    names = await asyncio.gather(*(create(symbol) for symbol in ("A/B", "A/B", "C/D", "C/D", "A/B")))
    assert set(names) == {'"kraken"."a_b_candles1m"', '"kraken"."c_d_candles1m"'}
