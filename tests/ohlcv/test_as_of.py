"""Bars as they were known at a time: corrections are undone, and what had not ended is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from fullon_graphql.database import Database
from fullon_graphql.ohlcv.candles import Candle, CandleColumns
from fullon_graphql.ohlcv.importing import import_candles
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import Window
from tests.ohlcv import reference
from tests.ohlcv.filling import NOON, Trade, flat, minutes, put_candles, put_trades, run, write

M1, M5, H1, D1 = Timeframe.M1, Timeframe.M5, Timeframe.H1, Timeframe.D1
COUNT = text("SELECT count(*) AS number FROM fullon_graphql.candle_corrections")


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


async def known(
    store: CandleStore, as_of: datetime | None, timeframe: Timeframe = M1, **window: object
) -> list[Candle]:
    """The bars of GOLD as they were known at a time."""
    [found] = await store.candles([Market("kraken", "GOLD")], timeframe, Window(**window, as_of=as_of))  # type: ignore[arg-type]  # arguments of a window
    assert isinstance(found, CandleColumns)
    return found.rows()


async def corrections(database: Database) -> int:
    row = await database.row(COUNT)
    return int(row.number if row else 0)


async def test_corrected_bar_is_read_with_its_old_values(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 2))
    first = datetime.now(UTC)
    await put_candles(ohlcv_database, "GOLD", [flat(at(1), 7, 2)])
    second = datetime.now(UTC)
    await put_candles(ohlcv_database, "GOLD", [flat(at(1), 9, 3)])
    assert await known(store, first) == minutes(0, 1, 2)
    assert await known(store, second) == [*minutes(0), flat(at(1), 7, 2), *minutes(2)]
    assert await known(store, None) == await known(store, datetime.now(UTC))
    assert (await known(store, None))[1] == flat(at(1), 9, 3)
    for window in ({"last": 1}, {"fill": True}, {"start": at(0), "end": at(5)}):
        assert await known(store, second, M5, **window) == [Candle(at(0), 0, 7, 0, 2, 4)], window


async def test_only_a_different_bar_is_recorded(ohlcv_database: Database) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1))
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 2))
    assert await corrections(ohlcv_database) == 0
    await put_candles(ohlcv_database, "GOLD", [flat(at(0), 5), *minutes(1)])
    assert await corrections(ohlcv_database) == 1


async def test_imported_corrections_are_undone(ohlcv_database: Database, store: CandleStore, tmp_path: Path) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1))
    before = datetime.now(UTC)
    file = tmp_path / "candles.csv"
    write(file, f"time_ms,open,high,low,close,volume\n{at(1).timestamp() * 1000:.0f},4,4,4,4,4\n")
    result = await import_candles(ohlcv_database, file, "kraken", "GOLD", timeframe=M1)
    assert (result.new, result.corrected) == (0, 1)
    assert await known(store, before) == minutes(0, 1)
    assert await known(store, None) == [*minutes(0), flat(at(1), 4, 4)]


async def test_candles_that_had_not_ended_are_left_out(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 2))
    assert await known(store, at(2)) == minutes(0, 1)
    assert await known(store, at(1.99), last=5) == minutes(0)
    assert await known(store, at(2), H1) == [Candle(at(0), 0, 1, 0, 1, 2)]
    assert await known(store, at(-1)) == []
    assert await known(store, at(-1), fill=True) == []
    await put_candles(ohlcv_database, "GOLD", [flat(D1.bucket_start(NOON))], D1)
    assert await known(CandleStore(ohlcv_database), at(2), D1) == [Candle(D1.bucket_start(NOON), 0, 1, 0, 1, 2)]


async def test_open_bar_is_that_of_the_trades_until_then(ohlcv_database: Database, store: CandleStore) -> None:
    await put_trades(ohlcv_database, "GOLD", [Trade(at(n / 2), float(n), 1.0, str(n)) for n in range(6)])
    assert await known(store, at(1)) == [Candle(at(0), 0, 1, 0, 1, 2), flat(at(1), 2)]
    assert await known(store, at(1.4), M5) == [Candle(at(0), 0, 2, 0, 2, 3)]


async def test_filling_stops_at_the_known_time(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 4))
    filled = [*minutes(0), flat(at(1), 0, 0), flat(at(2), 0, 0)]
    assert await known(store, at(2), fill=True, end=at(60)) == filled
    await put_trades(ohlcv_database, "GOLD", [Trade(at(0), 0.0, 1.0, "1"), Trade(at(3), 3.0, 1.0, "2")])
    assert await known(CandleStore(ohlcv_database), at(2), fill=True, end=at(60)) == filled


async def test_table_without_time_zone_is_read_as_it_was_known(ohlcv_database: Database, store: CandleStore) -> None:
    await run(ohlcv_database, "CREATE SCHEMA kraken")
    await run(
        ohlcv_database,
        'CREATE TABLE kraken.gold_candles1m ("timestamp" timestamp PRIMARY KEY, '
        "open float8, high float8, low float8, close float8, vol float8)",
    )
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1))
    before = datetime.now(UTC)
    await put_candles(ohlcv_database, "GOLD", [flat(at(0), 8)])
    assert await known(store, before) == minutes(0, 1)
    assert await known(store, at(1)) == minutes(0)


async def test_store_without_corrections_is_read(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1))
    assert await known(store, datetime.now(UTC)) == minutes(0, 1)
    await run(ohlcv_database, "DROP TABLE fullon_graphql.candle_corrections")
    assert await known(store, at(1)) == minutes(0)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Candle]]:
    """Batches of candles, the later of which correct the earlier."""
    price = st.integers(1, 3).map(float)
    candle = st.builds(flat, st.integers(0, 20).map(lambda n: at(n * 97)), price, price)
    return draw(st.lists(st.lists(candle, max_size=8), min_size=1, max_size=4))


@pytest.mark.usefixtures("store")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), timeframe=st.sampled_from([M1, H1, D1]), last=st.none() | st.integers(1, 3))
async def test_every_moment_equals_the_python_reference(
    ohlcv_database: Database, history: list[list[Candle]], timeframe: Timeframe, last: int | None
) -> None:
    await run(ohlcv_database, 'DROP SCHEMA IF EXISTS "kraken" CASCADE')
    await run(ohlcv_database, "DROP SCHEMA IF EXISTS fullon_graphql CASCADE")
    moments, bars = [], [dict[datetime, Candle]()]
    for batch in history:
        await put_candles(ohlcv_database, "GOLD", batch)
        moments.append(datetime.now(UTC))
        bars.append(bars[-1] | {bar.time: bar for bar in batch})
    first = {bar.time: bar for bars_then in reversed(bars) for bar in bars_then.values()}
    store = CandleStore(ohlcv_database)
    for moment, bars_then in zip(moments, bars[1:], strict=True):
        rows = [(first | bars_then)[time] for time in sorted(first)]
        expected = reference.answer(rows, timeframe, Window(last=last), moment)
        assert await known(store, moment, timeframe, last=last) == expected
    for fill in (False, True):
        window = {"last": last, "fill": fill}
        assert await known(store, datetime.now(UTC), timeframe, **window) == await known(
            store, None, timeframe, **window
        )
