from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, NotFound
from fullon_graphql.ohlcv.candles import CandleColumns
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import MAX_BARS, Window
from tests.conftest import Count
from tests.ohlcv.filling import NOON, Trade, flat, minutes, put_candles, put_trades, read_candles, read_columns, run

M1, H1, D1 = Timeframe.M1, Timeframe.H1, Timeframe.D1


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


async def test_from_is_inclusive_and_to_is_exclusive(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 2, 3))
    assert await read_candles(store, "kraken", "GOLD", M1, start=at(1), end=at(3)) == minutes(1, 2)


async def test_bar_belongs_to_the_range_of_its_start(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 59, 60, 119, 120))
    bars = await read_candles(store, "kraken", "GOLD", H1, start=at(1), end=at(61))
    assert [(bar.time, bar.open, bar.close, bar.volume) for bar in bars] == [(at(60), 60, 119, 2)]


async def test_last_counts_existing_bars_only(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 5000, 900_000))
    assert await read_candles(store, "kraken", "GOLD", M1, last=3) == minutes(1, 5000, 900_000)
    days = await read_candles(store, "kraken", "GOLD", D1, last=2)
    assert [(bar.time, bar.close) for bar in days] == [
        (D1.bucket_start(at(5000)), 5000),
        (D1.bucket_start(at(900_000)), 900_000),
    ]


async def test_last_stays_inside_the_range(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 2, 3, 4))
    assert await read_candles(store, "kraken", "GOLD", M1, start=at(2), end=at(4), last=9) == minutes(2, 3)


async def test_filling_repeats_the_last_close_without_volume(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(5, 8))
    filled = [*minutes(5), flat(at(6), 5, 0), flat(at(7), 5, 0), *minutes(8)]
    assert await read_candles(store, "kraken", "GOLD", M1, fill=True) == filled
    assert await read_candles(store, "kraken", "GOLD", M1, fill=True, start=at(0)) == filled


async def test_filling_carries_the_close_from_before_the_range(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 8))
    bars = await read_candles(store, "kraken", "GOLD", M1, fill=True, start=at(6), end=at(8))
    assert bars == [flat(at(6), 0, 0), flat(at(7), 0, 0)]


async def test_filling_reaches_the_end_of_the_range(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0))
    bars = await read_candles(store, "kraken", "GOLD", M1, fill=True, end=at(3))
    assert bars == [*minutes(0), flat(at(1), 0, 0), flat(at(2), 0, 0)]
    assert await read_candles(store, "kraken", "GOLD", M1, fill=True, start=at(1)) == []


async def test_filling_stops_at_the_present(ohlcv_database: Database, store: CandleStore) -> None:
    before = M1.bucket_start(datetime.now(UTC))
    await put_candles(ohlcv_database, "GOLD", [flat(before - timedelta(minutes=3))])
    bars = await read_candles(store, "kraken", "GOLD", M1, fill=True, end=before + timedelta(days=1))
    assert before <= bars[-1].time <= M1.bucket_start(datetime.now(UTC))
    assert [bar.volume for bar in bars] == [1] + [0] * (len(bars) - 1)


async def test_filling_before_the_first_bar_gives_nothing(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(9))
    assert await read_candles(store, "kraken", "GOLD", M1, fill=True, end=at(8)) == []


async def test_carried_close_is_that_of_the_last_trade(ohlcv_database: Database, store: CandleStore) -> None:
    await put_trades(ohlcv_database, "GOLD", [Trade(at(0), 1, 1, "9"), Trade(at(0), 2, 1, "10")])
    bars = await read_candles(store, "kraken", "GOLD", M1, fill=True, start=at(1), end=at(2))
    assert bars == [flat(at(1), 2, 0)]


async def test_emptied_table_has_no_filled_bars(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0))
    assert await read_candles(store, "kraken", "GOLD", M1) == minutes(0)
    await run(ohlcv_database, "TRUNCATE kraken.gold_candles1m")
    assert await read_candles(store, "kraken", "GOLD", M1, fill=True, start=at(0), end=at(9)) == []


async def test_filled_bars_count_for_last(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 8))
    assert await read_candles(store, "kraken", "GOLD", M1, fill=True, last=2) == [flat(at(7), 0, 0), *minutes(8)]


async def test_months_are_filled_month_by_month(ohlcv_database: Database, store: CandleStore) -> None:
    first, last = datetime(2023, 12, 31, 23, 59, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
    await put_candles(ohlcv_database, "GOLD", [flat(first, 1), flat(last, 2)])
    bars = await read_candles(store, "kraken", "GOLD", Timeframe.MN1, fill=True)
    assert [(f"{bar.time:%Y-%m-%d}", bar.close) for bar in bars] == [
        ("2023-12-01", 1),
        ("2024-01-01", 1),
        ("2024-02-01", 1),
        ("2024-03-01", 2),
    ]


async def test_columns_are_the_same_bars(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 7))
    columns = await read_columns(store, "kraken", "GOLD", M1)
    assert columns.time == [at(minute).timestamp() * 1000 for minute in (0, 1, 7)]
    assert columns.length == 3
    assert columns.rows() == minutes(0, 1, 7)


async def test_columns_are_empty_without_bars(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0))
    columns = await read_columns(store, "kraken", "GOLD", M1, start=at(1))
    assert columns == CandleColumns.empty()


async def test_window_accepts_times_of_any_zone(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1))
    for start in (at(1), at(1).replace(tzinfo=None), at(1).astimezone(timezone(timedelta(hours=-7)))):
        assert await read_candles(store, "kraken", "GOLD", M1, start=start) == minutes(1)


@pytest.mark.parametrize("fill", [False, True])
@pytest.mark.parametrize("timeframe", Timeframe)
async def test_window_accepts_the_ends_of_the_calendar(
    ohlcv_database: Database, store: CandleStore, timeframe: Timeframe, fill: bool
) -> None:
    old = datetime(2024, 3, 4, tzinfo=UTC)
    await put_candles(ohlcv_database, "GOLD", [flat(old)])
    bars = await read_candles(
        store,
        "kraken",
        "GOLD",
        timeframe,
        start=datetime.min.replace(tzinfo=UTC),
        end=datetime.max.replace(tzinfo=UTC),
        fill=fill,
        last=MAX_BARS,
    )
    assert bars
    assert bars[-1].close == 1


@pytest.mark.parametrize(
    ("question", "complaint"),
    [
        ({"last": 0}, "last must be between 1 and 50000; got 0"),
        ({"last": MAX_BARS + 1}, "last must be between 1 and 50000; got 50001"),
        ({"start": at(1), "end": at(1)}, "from must be before to"),
        ({"start": at(1).replace(tzinfo=None), "end": at(0)}, "from must be before to"),
    ],
)
async def test_impossible_bounds_are_rejected(question: dict[str, datetime | int], complaint: str) -> None:
    with pytest.raises(BadUserInput, match=complaint):
        Window(**question)  # type: ignore[arg-type]  # one dictionary for all kinds of bounds


async def test_too_many_bars_are_rejected(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", [])
    await run(
        ohlcv_database,
        f"""INSERT INTO kraken.gold_candles1m SELECT timestamptz '{NOON}' + n * interval '1 minute', 1, 1, 1, 1, 1
            FROM generate_series(1, {MAX_BARS + 1}) n""",
    )
    for fill in (False, True):
        with pytest.raises(BadUserInput, match="50000"):
            await read_candles(store, "kraken", "GOLD", M1, fill=fill)
        most = await read_columns(store, "kraken", "GOLD", M1, fill=fill, end=at(MAX_BARS + 1))
        assert most.length == MAX_BARS
        newest = await read_columns(store, "kraken", "GOLD", M1, fill=fill, last=MAX_BARS)
        assert newest.length == MAX_BARS
    assert len(await read_candles(store, "kraken", "GOLD", H1)) == 834


async def test_gap_too_long_to_fill_is_rejected(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 90_000_000))
    with pytest.raises(BadUserInput, match="50000"):
        await read_candles(store, "kraken", "GOLD", M1, fill=True)
    assert len(await read_candles(store, "kraken", "GOLD", M1, fill=True, last=MAX_BARS)) == MAX_BARS


async def test_many_symbols_are_read_in_one_statement(
    ohlcv_database: Database, store: CandleStore, statements: Count
) -> None:
    await put_candles(ohlcv_database, "A/B", minutes(0, 1, 2))
    await put_trades(ohlcv_database, "C/D", [Trade(at(3), 7, 2, "1")])
    await put_candles(ohlcv_database, "EMPTY", [])
    markets = [Market("kraken", symbol) for symbol in ("C/D", "none", "A/B", "EMPTY", "C/D")]
    await store.candles(markets[:1] + markets[2:3], M1, Window())
    with statements() as seen:
        assert len(await store.candles(markets[:1] + markets[2:3], M1, Window(last=2))) == 2
    assert len(seen) == 1
    trades, nothing, candles, empty, again = await store.candles(markets, M1, Window(last=2))
    assert isinstance(nothing, NotFound)
    assert [bars.rows() for bars in (trades, candles, empty, again) if isinstance(bars, CandleColumns)] == [
        [flat(at(3), 7, 2)],
        minutes(1, 2),
        [],
        [flat(at(3), 7, 2)],
    ]


async def test_equal_reads_at_the_same_time_share_a_statement(
    ohlcv_database: Database, store: CandleStore, statements: Count
) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 2))
    market = Market("kraken", "GOLD")
    [alone] = await store.candles([market], M1, Window(last=5))
    with statements() as seen:
        windows = [Window(last=5), Window(last=6)]
        found = await asyncio.gather(*(store.candles([market], M1, window) for window in windows * 20))
    assert found == [[alone]] * 40
    assert len(seen) == 4  # the first of each window, and one for all who waited meanwhile


async def test_complete_until_is_the_end_of_the_newest_candle(ohlcv_database: Database, store: CandleStore) -> None:
    market = Market("kraken", "GOLD")
    assert await store.complete_until(market, Timeframe.H1) is None
    await put_candles(ohlcv_database, "GOLD", minutes(0, 7))
    assert await store.complete_until(market, Timeframe.H1) == NOON + timedelta(minutes=8)


async def test_complete_until_excludes_the_newest_minute_of_trades(
    ohlcv_database: Database, store: CandleStore
) -> None:
    await put_trades(ohlcv_database, "GOLD", [Trade(NOON + timedelta(seconds=125), 1, 1, "1")])
    assert await store.complete_until(Market("kraken", "GOLD"), Timeframe.M1) == NOON + timedelta(minutes=2)
    await run(
        ohlcv_database,
        'CREATE VIEW kraken.gold_candles1m_view AS SELECT date_trunc(\'minute\', "timestamp") AS "timestamp",'
        " min(price) AS open, min(price) AS high, min(price) AS low, min(price) AS close, sum(volume) AS vol"
        " FROM kraken.gold_trades GROUP BY 1",
    )
    seen_anew = CandleStore(ohlcv_database)
    assert await seen_anew.complete_until(Market("kraken", "GOLD"), Timeframe.M1) == NOON + timedelta(minutes=2)
