"""Resampling in SQL compared with plain Python on random prices."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.database import Database
from fullon_graphql.database.read_pool import ReadPool
from fullon_graphql.ohlcv import resampling
from fullon_graphql.ohlcv.candles import Candle, CandleColumns
from fullon_graphql.ohlcv.sources import Catalogue, Market, Source
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import Window
from tests.ohlcv import reference
from tests.ohlcv.filling import NOON, Trade, flat, put_candles, put_trades, run

GOLD = Market("kraken", "GOLD")

on_one_database = settings(
    max_examples=25,
    deadline=None,  # a busy machine is not a failure
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # every example empties its table
)

whole = st.integers(0, 1000).map(float)  # sums of whole numbers are exact in any order
instants = st.integers(0, 15_000_000) | st.integers(12_600_000, 12_600_300)  # minutes: decades apart, or neighbours


@st.composite
def candles(draw: st.DrawFn) -> list[Candle]:
    """Sparse minutes from 1999 to 2027, in order."""
    times = sorted(draw(st.sets(instants, min_size=1, max_size=40)))
    return [_candle(minute, draw(st.tuples(whole, whole, whole, whole)), draw(whole)) for minute in times]


def _candle(minute: int, prices: tuple[float, ...], volume: float) -> Candle:
    time = datetime(1999, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    return Candle(time, prices[0], max(prices), min(prices), prices[1], volume)


@st.composite
def windows(draw: st.DrawFn, rows: list[Candle]) -> Window:
    """Bounds on and off the rows, few bars or all."""
    near = st.builds(
        lambda row, seconds: row.time + timedelta(seconds=seconds),
        st.sampled_from(rows),
        st.sampled_from([0, 60, -60, 1]) | st.integers(-(10**7), 10**7),
    )
    start, end = sorted(draw(st.tuples(near, near)))
    return Window(
        draw(st.none() | st.just(start)),
        draw(st.none() | st.just(end + timedelta(seconds=1))),
        draw(st.none() | st.integers(1, 5)),
    )


async def bars(store: CandleStore, timeframe: Timeframe, window: Window) -> list[Candle]:
    [answer] = await store.candles([GOLD], timeframe, window)
    assert isinstance(answer, CandleColumns)
    return answer.rows()


async def replace(database: Database, rows: list[Candle]) -> None:
    await run(database, 'DROP SCHEMA IF EXISTS "kraken" CASCADE')
    await put_candles(database, "GOLD", rows)


@on_one_database
@given(data=st.data())
async def test_every_timeframe_equals_the_python_reference(ohlcv_database: Database, data: st.DataObject) -> None:
    rows = data.draw(candles())
    window = data.draw(windows(rows))
    await replace(ohlcv_database, rows)
    store = CandleStore(ohlcv_database)
    for timeframe in Timeframe:
        expected = reference.answer(rows, timeframe, window, datetime.now(UTC))
        assert await bars(store, timeframe, window) == expected, timeframe


@on_one_database
@given(data=st.data())
async def test_source_without_index_gives_the_same_bars(ohlcv_database: Database, data: st.DataObject) -> None:
    rows = data.draw(candles())
    window = data.draw(windows(rows))
    await replace(ohlcv_database, rows)
    await run(ohlcv_database, "CREATE VIEW kraken.gold_candles1m_view AS TABLE kraken.gold_candles1m LIMIT 1000000")
    store = CandleStore(ohlcv_database)
    for timeframe in Timeframe:
        expected = reference.answer(rows, timeframe, window, datetime.now(UTC))
        assert await bars(store, timeframe, window) == expected, timeframe


@on_one_database
@given(data=st.data())
async def test_filled_bars_equal_the_python_reference(ohlcv_database: Database, data: st.DataObject) -> None:
    rows = data.draw(candles())
    bounds = data.draw(windows(rows))
    window = Window(bounds.start, bounds.end, bounds.last, fill=True)
    await replace(ohlcv_database, rows)
    store = CandleStore(ohlcv_database)
    for timeframe in (Timeframe.H8, Timeframe.D1, Timeframe.D3, Timeframe.W1, Timeframe.MN1):
        before = datetime.now(UTC)
        filled = await bars(store, timeframe, window)
        expected = {tuple(reference.answer(rows, timeframe, window, now)) for now in (before, datetime.now(UTC))}
        assert tuple(filled) in expected, timeframe


@on_one_database
@given(rows=candles())
async def test_every_timeframe_keeps_volume_and_extremes(ohlcv_database: Database, rows: list[Candle]) -> None:
    await replace(ohlcv_database, rows)
    store = CandleStore(ohlcv_database)
    for timeframe in Timeframe:
        made = await bars(store, timeframe, Window())
        assert sum(bar.volume for bar in made) == sum(row.volume for row in rows)
        assert max(bar.high for bar in made) == max(row.high for row in rows)
        assert min(bar.low for bar in made) == min(row.low for row in rows)
        assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in made)


@on_one_database
@given(rows=candles(), last=st.integers(1, 50))
async def test_last_bars_are_the_tail_of_all_bars(ohlcv_database: Database, rows: list[Candle], last: int) -> None:
    await replace(ohlcv_database, rows)
    store = CandleStore(ohlcv_database)
    for timeframe in Timeframe:
        assert await bars(store, timeframe, Window(last=last)) == (await bars(store, timeframe, Window()))[-last:]


@on_one_database
@given(rows=candles())
async def test_filled_bars_are_contiguous_and_keep_existing_bars(ohlcv_database: Database, rows: list[Candle]) -> None:
    await replace(ohlcv_database, rows)
    store = CandleStore(ohlcv_database)
    for timeframe in (Timeframe.D1, Timeframe.W1, Timeframe.MN1):
        filled = await bars(store, timeframe, Window(fill=True))
        existing = await bars(store, timeframe, Window())
        made = [bar for bar in filled if bar not in existing]
        assert [bar for bar in filled if bar in existing] == existing
        assert filled[0] == existing[0]
        assert all(timeframe.next_bucket(a.time) == b.time for a, b in itertools.pairwise(filled))
        assert all(bar.volume == 0 and bar.open == bar.high == bar.low == bar.close for bar in made)


@on_one_database
@given(data=st.data())
async def test_bars_of_trades_follow_the_order_of_trades(ohlcv_database: Database, data: st.DataObject) -> None:
    """Trade ids are numbers of different lengths, and trades often share a millisecond."""
    ids = sorted(data.draw(st.sets(st.integers(0, 10**22) | st.integers(5, 15), min_size=1, max_size=40)))
    steps = [data.draw(st.sampled_from([0, 0, 1, 59_000, 10**7, 10**10])) for _ in ids]
    times = [NOON + timedelta(milliseconds=passed) for passed in itertools.accumulate(steps)]
    trades = [
        Trade(time, data.draw(whole), data.draw(whole), str(number)) for time, number in zip(times, ids, strict=True)
    ]
    await run(ohlcv_database, 'DROP SCHEMA IF EXISTS "kraken" CASCADE')
    await put_trades(ohlcv_database, "GOLD", data.draw(st.permutations(trades)))
    rows = [flat(trade.time, trade.price, trade.volume) for trade in trades]
    store = CandleStore(ohlcv_database)
    for timeframe in Timeframe:
        for last in (None, 3):
            expected = reference.answer(rows, timeframe, Window(last=last), datetime.now(UTC))
            assert await bars(store, timeframe, Window(last=last)) == expected, timeframe


async def test_trades_without_numeric_ids_keep_insertion_order(ohlcv_database: Database, store: CandleStore) -> None:
    before = [Trade(NOON - timedelta(hours=1, seconds=n), 9, 1, f"id-{n}") for n in range(2000)]
    together = [Trade(NOON, price, 1, name) for price, name in ((1, "c"), (2, "a"), (3, "b"))]
    await put_trades(ohlcv_database, "GOLD", before + together)
    await run(ohlcv_database, "ANALYZE kraken.gold_trades")  # lets the plan read by the index, which is by id
    assert await bars(store, Timeframe.M1, Window(last=1)) == [Candle(NOON, 1, 3, 1, 3, 3)]


@pytest.fixture
async def new_york(ohlcv_database: Database) -> AsyncIterator[Database]:
    """The same database with sessions in another time zone."""
    zone = {"server_settings": {"timezone": "America/New_York"}, "timeout": 10}
    engine = create_async_engine(ohlcv_database.engine.url, connect_args=zone)
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    breaker = CircuitBreaker.never_opening("tests")
    database = Database(engine, ReadPool(address, 2, zone, breaker), breaker)
    yield database
    await database.close()


@pytest.mark.parametrize("fill", [False, True])
async def test_session_time_zone_does_not_shift_buckets(
    ohlcv_database: Database, new_york: Database, fill: bool
) -> None:
    await replace(ohlcv_database, [flat(NOON + timedelta(minutes=97 * step)) for step in range(500)])
    for timeframe in Timeframe:
        for last in (None, 3):
            window = Window(NOON + timedelta(minutes=1), last=last, fill=fill)
            here, there = [await bars(CandleStore(at), timeframe, window) for at in (ohlcv_database, new_york)]
            assert here == there


@pytest.fixture
async def minutes(ohlcv_database: Database) -> Source:
    """A table of 100 000 candles."""
    await put_candles(ohlcv_database, "GOLD", [])
    await run(
        ohlcv_database,
        f"""INSERT INTO kraken.gold_candles1m SELECT timestamptz '{NOON}' + n * interval '1 minute', 1, 1, 1, 1, 1
            FROM generate_series(1, 100000) n""",
    )
    found = await Catalogue(ohlcv_database).find([GOLD])
    [source] = found[GOLD]
    return source


async def plan_of(database: Database, statement: str, last: int) -> str:
    return str(await database.rows(text(f"EXPLAIN {statement}"), Window(last=last).parameters))


@pytest.mark.parametrize("timeframe", Timeframe)
async def test_newest_bars_use_the_index(ohlcv_database: Database, minutes: Source, timeframe: Timeframe) -> None:
    plan = await plan_of(ohlcv_database, resampling.newest_bars(minutes, timeframe), last=5)
    assert "Index" in plan
    assert "Seq Scan" not in plan


async def test_many_newest_rows_are_read_by_the_index(ohlcv_database: Database, minutes: Source) -> None:
    await run(ohlcv_database, "ANALYZE kraken.gold_candles1m")
    plan = await plan_of(ohlcv_database, resampling.newest_bars(minutes, Timeframe.M1), last=5_000)
    assert "Index Scan Backward" in plan
    assert "Seq Scan" not in plan
