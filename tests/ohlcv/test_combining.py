"""Bars of several sources: a bar wherever something is stored."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fullon_graphql.database import Database
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import Window
from fullon_graphql.ohlcv.writer import create_candles, upsert_candles
from tests.conftest import Count
from tests.ohlcv.filling import NOON, Trade, flat, minutes, put_candles, put_trades, read_candles, run

M1, M5, H1, D1, W1, MN1 = (Timeframe[name] for name in ("M1", "M5", "H1", "D1", "W1", "MN1"))
MIDNIGHT = NOON - timedelta(hours=12)


async def put(database: Database, timeframe: Timeframe, *bars: Candle) -> None:
    async with database.transaction() as connection:
        await create_candles(connection, "kraken", "GOLD", timeframe)
        await upsert_candles(connection, "kraken", "GOLD", bars, timeframe)


def day(number: int, price: float = 5) -> Candle:
    return flat(MIDNIGHT + timedelta(days=number), price, 2)


def minute(number: float, price: float = 7) -> Candle:
    return flat(NOON + timedelta(minutes=number), price, 1)


async def bars(store: CandleStore, timeframe: Timeframe, **window: object) -> list[Candle]:
    return await read_candles(store, "kraken", "GOLD", timeframe, **window)


@pytest.mark.parametrize("at", [0, 150, 399])
async def test_few_minutes_do_not_hide_daily_bars(ohlcv_database: Database, store: CandleStore, at: int) -> None:
    days = [day(number) for number in range(400)]
    await put(ohlcv_database, D1, *days)
    await put(ohlcv_database, M1, *(minute(at * 1440 + number) for number in range(3)))
    assert await bars(store, D1) == days
    assert await bars(store, D1, last=400) == days
    assert await bars(store, D1, last=100) == days[-100:]
    assert await bars(store, D1, start=days[140].time, end=days[160].time) == days[140:160]
    assert len(await bars(store, M1)) == 3


async def test_minutes_replace_the_days_that_they_cover(ohlcv_database: Database, store: CandleStore) -> None:
    await put(ohlcv_database, D1, *(day(number) for number in range(6)))
    # from noon of the first day to noon of the fourth
    await put(ohlcv_database, M1, *(minute(60 * number) for number in range(3 * 24 + 1)))
    assert [bar.close for bar in await bars(store, D1)] == [5, 7, 7, 5, 5, 5]
    assert [bar.volume for bar in await bars(store, D1)] == [2, 24, 24, 2, 2, 2]


async def test_hole_of_the_minutes_has_the_bars_of_trades(ohlcv_database: Database, store: CandleStore) -> None:
    await put(ohlcv_database, M1, *(minute(number) for number in (0, 1, 2, 5, 6)))
    trades = [Trade(NOON + timedelta(minutes=number), 3, 1, str(number)) for number in range(9)]
    await put_trades(ohlcv_database, "GOLD", trades)
    assert [bar.close for bar in await bars(store, M1)] == [7, 7, 7, 3, 3, 7, 7, 3, 3]
    assert [bar.close for bar in await bars(store, M1, last=3)] == [7, 3, 3]
    end = NOON + timedelta(minutes=6)
    assert [bar.close for bar in await bars(store, M1, last=3, end=end)] == [3, 3, 7]


async def test_trades_behind_a_younger_candle_table_are_read(ohlcv_database: Database, store: CandleStore) -> None:
    trades = [Trade(NOON + timedelta(minutes=number), 3, 1, str(number)) for number in range(120)]
    await put_trades(ohlcv_database, "GOLD", trades)
    await put(ohlcv_database, M1, *(minute(number) for number in range(90, 130)))
    assert len(await bars(store, M1)) == 130
    [first, second, third] = await bars(store, H1)
    assert (first.close, first.volume, second.close, second.volume) == (3, 60, 3, 60)  # half of the second is younger
    assert (third.close, third.volume) == (7, 10)


async def test_view_that_begins_late_is_completed_by_the_table(ohlcv_database: Database, store: CandleStore) -> None:
    await put(ohlcv_database, M1, *(minute(number) for number in range(10)))
    await run(
        ohlcv_database,
        'CREATE VIEW kraken.gold_candles1m_view AS SELECT "timestamp", open + 1 AS open, high + 1 AS high, low + 1 AS'
        " low, close + 1 AS close, vol FROM kraken.gold_candles1m OFFSET 6",  # OFFSET: no column is updatable
    )
    assert [bar.close for bar in await bars(store, M1)] == [7] * 6 + [8] * 4
    assert [bar.close for bar in await bars(store, M1, last=6)] == [7, 7, 8, 8, 8, 8]
    assert [(bar.close, bar.volume) for bar in await bars(store, M5)] == [(7, 5), (7, 5)]


@pytest.mark.parametrize("timeframe", [W1, MN1])
async def test_weeks_and_months_consist_of_both(
    ohlcv_database: Database, store: CandleStore, timeframe: Timeframe
) -> None:
    days = [day(number) for number in range(100)]
    await put(ohlcv_database, D1, *days)
    before = await bars(store, timeframe)
    await put(ohlcv_database, M1, minute(60 * 24 * 50), minute(60 * 24 * 50 + 1))
    assert await bars(CandleStore(ohlcv_database), timeframe) == before


async def test_filling_joins_the_sources(ohlcv_database: Database, store: CandleStore) -> None:
    await put(ohlcv_database, D1, day(0), day(1), day(4), day(9))
    await put(ohlcv_database, M1, minute(3 * 1440), minute(3 * 1440 + 1))
    expected = [5, 5, 5, 7, 5, 5, 5, 5, 5, 5]
    assert [bar.close for bar in await bars(store, D1, fill=True)] == expected
    assert [bar.close for bar in await bars(store, D1, fill=True, last=7)] == expected[-7:]
    start, end = MIDNIGHT + timedelta(days=2), MIDNIGHT + timedelta(days=5)
    assert [bar.close for bar in await bars(store, D1, fill=True, start=start, end=end)] == [5, 7, 5]
    assert [bar.volume for bar in await bars(store, D1, fill=True, start=start, end=end)] == [0, 2, 2]


async def test_contiguous_bars_cost_one_statement(
    ohlcv_database: Database, store: CandleStore, statements: Count
) -> None:
    await put(ohlcv_database, D1, day(0), day(1))
    await put_candles(ohlcv_database, "GOLD", minutes(*range(20)))
    market = [Market("kraken", "GOLD")]
    await store.candles(market, M1, Window(last=10))
    with statements() as seen:
        await store.candles(market, M1, Window(last=10))
        await store.candles(market, M1, Window(start=NOON, end=NOON + timedelta(minutes=5)))
    assert len(seen) == 2


async def test_complete_until_follows_the_newest_source(ohlcv_database: Database, store: CandleStore) -> None:
    market = Market("kraken", "GOLD")
    await put(ohlcv_database, M1, minute(0))
    await put(ohlcv_database, D1, day(3))
    assert await store.complete_until(market, D1) == MIDNIGHT + timedelta(days=4)
    await put(ohlcv_database, M1, minute(3 * 1440))
    assert await store.complete_until(market, D1) == NOON + timedelta(days=3, minutes=1)


async def test_trades_without_price_or_time_are_left_out(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "SILVER", [])  # creates the schema
    await run(
        ohlcv_database,
        'CREATE TABLE kraken.gold_trades ("timestamp" timestamptz, price float8, volume float8, side text, type text)',
    )
    await run(
        ohlcv_database,
        "INSERT INTO kraken.gold_trades VALUES ('2024-03-04 12:00Z', 1, 1, 'buy', 'market'), "
        "('2024-03-04 12:00Z', NULL, 1, 'buy', ''), ('2024-03-04 12:01Z', 'NaN', 1, 'buy', ''),"
        "('infinity', 2, 1, 'buy', ''), ('-infinity', 2, 1, 'buy', ''), ('12026-01-01', 2, 1, 'buy', ''),"
        "(NULL, 2, 1, 'buy', ''), ('2024-03-04 12:02Z', 3, 'NaN', 'sell', 'market')",
    )
    market = Market("kraken", "GOLD")
    for trades in (
        await store.newest_trades(market, 10),
        await store.trades(market, NOON - timedelta(days=1), NOON + timedelta(days=1), 10),
    ):
        assert [(trade.price, trade.volume) for trade in trades] == [(1, 1), (3, 0)]
    assert [bar.close for bar in await bars(store, M1)] == [1, 3]
    [extent] = await store.extents(market)
    assert (extent.oldest, extent.newest) == (trades[0].time, trades[1].time)
