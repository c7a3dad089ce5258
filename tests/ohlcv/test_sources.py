from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from fullon_graphql.database import Database
from fullon_graphql.errors import NotFound
from fullon_graphql.ohlcv.sources import Catalogue, Market
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from tests.conftest import Count
from tests.ohlcv.filling import NOON, Trade, flat, minutes, put_candles, put_trades, read_candles, run

M1, M5, H1 = Timeframe.M1, Timeframe.M5, Timeframe.H1
COLUMNS = "open float8, high float8, low float8, close float8"


async def test_view_precedes_candles_and_candles_precede_trades(ohlcv_database: Database, store: CandleStore) -> None:
    await put_trades(ohlcv_database, "GOLD", [Trade(NOON, 3, 1, "1")])
    assert await read_candles(store, "kraken", "GOLD", M1) == [flat(NOON, 3)]
    await put_candles(ohlcv_database, "GOLD", [flat(NOON, 2)])
    assert await read_candles(CandleStore(ohlcv_database), "kraken", "GOLD", M1) == [flat(NOON, 2)]
    await run(
        ohlcv_database,
        'CREATE VIEW kraken.gold_candles1m_view AS SELECT "timestamp", 1.0::float8 AS open, 1.0::float8 AS high, '
        "1.0::float8 AS low, 1.0::float8 AS close, vol FROM kraken.gold_candles1m",
    )
    assert await read_candles(CandleStore(ohlcv_database), "kraken", "GOLD", M1) == [flat(NOON, 1)]


async def test_empty_source_is_skipped(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", [])
    await run(
        ohlcv_database,
        "CREATE MATERIALIZED VIEW kraken.gold_candles1m_view AS SELECT * FROM kraken.gold_candles1m",
    )
    await put_trades(ohlcv_database, "GOLD", [Trade(NOON, 3, 1, "1")])
    assert await read_candles(store, "kraken", "GOLD", M1) == [flat(NOON, 3)]


async def test_symbol_without_tables_is_not_found(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0))
    with pytest.raises(NotFound, match="'SILVER' on 'kraken'"):
        await read_candles(store, "kraken", "SILVER", M1)
    with pytest.raises(NotFound, match="'GOLD' on 'bitmex'"):
        await read_candles(store, "bitmex", "GOLD", M1)


@pytest.mark.parametrize(("exchange", "symbol"), [("public", "dry"), ("kraken", "A\x00"), ("", "GOLD"), ("kraken", "")])
async def test_invalid_names_are_not_found(
    store: CandleStore, ohlcv_database: Database, exchange: str, symbol: str
) -> None:
    await run(ohlcv_database, 'CREATE TABLE public.dry_trades ("timestamp" timestamp, price float8, volume float8)')
    await run(ohlcv_database, "INSERT INTO public.dry_trades VALUES (now(), 1, 1)")
    with pytest.raises(NotFound):
        await read_candles(store, exchange, symbol, M1)


async def test_empty_tables_have_no_bars(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", [])
    assert await read_candles(store, "kraken", "GOLD", M1) == []
    assert await read_candles(store, "kraken", "GOLD", H1, last=5, fill=True) == []


async def test_reading_creates_nothing(ohlcv_database: Database, store: CandleStore) -> None:
    relations = text("SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname !~ '^pg'")
    before = await ohlcv_database.row(relations)
    with pytest.raises(NotFound):
        await read_candles(store, "kraken", "GOLD", M1)
    assert await ohlcv_database.row(relations) == before


async def test_created_table_is_found(ohlcv_database: Database, store: CandleStore) -> None:
    with pytest.raises(NotFound):
        await read_candles(store, "kraken", "GOLD", M1)
    await put_candles(ohlcv_database, "GOLD", [])
    assert await read_candles(store, "kraken", "GOLD", M1) == []
    await put_candles(ohlcv_database, "GOLD", minutes(0))
    assert await read_candles(store, "kraken", "GOLD", M1) == minutes(0)


async def test_dropped_table_is_detected(ohlcv_database: Database, store: CandleStore) -> None:
    await put_trades(ohlcv_database, "GOLD", [Trade(NOON, 3, 1, "1")])
    await put_candles(ohlcv_database, "GOLD", minutes(0))
    assert await read_candles(store, "kraken", "GOLD", M1) == minutes(0)
    await run(ohlcv_database, "DROP TABLE kraken.gold_candles1m")
    assert await read_candles(store, "kraken", "GOLD", M1) == [flat(NOON, 3)]
    await run(ohlcv_database, "DROP TABLE kraken.gold_trades")
    with pytest.raises(NotFound):
        await read_candles(store, "kraken", "GOLD", M1)


async def test_cached_symbol_costs_one_statement(
    ohlcv_database: Database, store: CandleStore, statements: Count
) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 90))
    await read_candles(store, "kraken", "GOLD", M1)
    for question in ({}, {"last": 2}, {"fill": True}, {"last": 2, "fill": True}):
        with statements() as seen:
            await read_candles(store, "kraken", "gold", H1, **question)
        assert len(seen) == 1


async def test_coarser_candles_serve_their_multiples(ohlcv_database: Database, store: CandleStore) -> None:
    bars = [flat(NOON + timedelta(minutes=5 * step), price=step) for step in range(24)]
    await put_candles(ohlcv_database, "GOLD", bars, M5)
    assert await read_candles(store, "kraken", "GOLD", M5) == bars
    hours = await read_candles(store, "kraken", "GOLD", H1)
    assert [(bar.open, bar.close, bar.volume) for bar in hours] == [(0, 11, 12), (12, 23, 12)]
    assert await read_candles(store, "kraken", "GOLD", M1) == []


async def test_finer_sources_come_before_coarser_candles(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", [flat(NOON, price=5)], M5)
    await put_trades(ohlcv_database, "GOLD", [Trade(NOON, 3, 1, "1")])
    assert await read_candles(store, "kraken", "GOLD", M5) == [flat(NOON, 3)]


async def test_tables_with_other_columns_are_ignored(ohlcv_database: Database, store: CandleStore) -> None:
    await run(ohlcv_database, "CREATE SCHEMA kraken")
    await run(ohlcv_database, 'CREATE TABLE kraken.gold_trades ("timestamp" timestamptz, note text)')
    await run(ohlcv_database, f"CREATE TABLE kraken.gold_candles1m (time timestamptz, {COLUMNS}, vol float8)")
    with pytest.raises(NotFound):
        await read_candles(store, "kraken", "GOLD", M1)


async def test_index_is_detected(ohlcv_database: Database) -> None:
    await put_candles(ohlcv_database, "A", minutes(0))
    await run(ohlcv_database, "CREATE VIEW kraken.a_candles1m_view AS SELECT * FROM kraken.a_candles1m")
    await run(ohlcv_database, "CREATE TABLE kraken.b_candles1m AS SELECT * FROM kraken.a_candles1m")
    await run(
        ohlcv_database,
        'CREATE VIEW kraken.b_candles1m_view AS SELECT "timestamp", min(open) AS open, max(high) AS high, '
        "min(low) AS low, max(close) AS close, sum(vol) AS vol FROM kraken.a_candles1m GROUP BY 1",
    )
    a, b = Market("kraken", "A"), Market("kraken", "B")
    found = await Catalogue(ohlcv_database).find([a, b])
    assert [source.indexed for source in found[a]] == [True, True]
    assert [source.indexed for source in found[b]] == [False, False]


@pytest.mark.parametrize("fill", [False, True])
@pytest.mark.parametrize("last", [None, 3])
async def test_rows_without_finite_prices_are_no_bars(
    ohlcv_database: Database, store: CandleStore, fill: bool, last: int | None
) -> None:
    await run(ohlcv_database, "CREATE SCHEMA kraken")
    await run(
        ohlcv_database,
        f"""CREATE VIEW kraken.gold_candles1m_view ("timestamp", open, high, low, close, vol) AS
            SELECT timestamptz '{NOON}' + n * interval '1 minute', price, price, price, price, volume
            FROM (VALUES (0, 1::float8, 1::float8), (1, NULL, NULL), (2, 'NaN', 1), (3, 'Infinity', 1), (4, 2, 'NaN'))
                AS rows (n, price, volume)""",
    )
    bars = [flat(NOON), flat(NOON + timedelta(minutes=4), 2, 0)]
    filled = [flat(NOON + timedelta(minutes=minute), volume=0) for minute in (1, 2, 3)]
    expected = [bars[0], *filled, bars[1]] if fill else bars
    assert await read_candles(store, "kraken", "GOLD", M1, fill=fill, last=last) == expected[-(last or 9) :]
    [hour] = await read_candles(store, "kraken", "GOLD", H1, fill=fill, last=last)
    assert (hour.open, hour.close, hour.volume) == (1, 2, 1)


async def test_bars_off_the_grid_are_floored_only_to_fill(ohlcv_database: Database, store: CandleStore) -> None:
    days = [flat(NOON + timedelta(days=day, hours=4), day + 1.0) for day in (0, 2)]
    await put_candles(ohlcv_database, "GOLD", days, Timeframe.D1)
    assert await read_candles(store, "kraken", "GOLD", Timeframe.D1) == days
    midnight = NOON - timedelta(hours=12)
    assert await read_candles(store, "kraken", "GOLD", Timeframe.D1, fill=True) == [
        flat(midnight), flat(midnight + timedelta(days=1), volume=0), flat(midnight + timedelta(days=2), 3.0),
    ]  # fmt: skip
