"""Coverage: stored, empty and missing minutes, for every form in which a symbol can be stored."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, NotFound
from fullon_graphql.ohlcv.coverage import MOST_GAPS, Coverage, MissingPeriod, create_coverage, incomplete, mark_complete
from fullon_graphql.ohlcv.importing import import_candles, import_trades
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from tests.conftest import Count
from tests.ohlcv.filling import NOON, Trade, minutes, put_candles, put_trades, run

GOLD = Market("kraken", "GOLD")


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


async def mark(database: Database, *periods: tuple[int, int], market: Market = GOLD) -> None:
    async with database.transaction() as connection:
        await create_coverage(connection)
        for start, end in periods:
            await mark_complete(connection, market, at(start), at(end))


def missing(coverage: Coverage) -> list[tuple[int, int]]:
    """The gaps as minutes after noon."""
    minute = timedelta(minutes=1)
    return [((gap.from_ - NOON) // minute, (gap.to - NOON) // minute) for gap in coverage.gaps]


async def test_minutes_without_bar_are_gaps(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 4, 5, 9))
    report = await store.coverage(GOLD, at(-1), at(12))
    assert (report.from_, report.to) == (at(-1), at(12))
    assert missing(report) == [(-1, 0), (2, 4), (6, 9), (10, 12)]
    assert [gap.minutes for gap in report.gaps] == [1, 2, 3, 2]
    assert (report.expected_minutes, report.stored_minutes, report.empty_minutes, report.gap_count) == (13, 5, 0, 4)
    assert report.last_trade_at == at(9)


async def test_period_begins_at_the_oldest_minute_by_default(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(3, 4))
    assert missing(await store.coverage(GOLD, None, at(6))) == [(5, 6)]


async def test_minute_belongs_to_the_period_of_its_start(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 2, 3))
    report = await store.coverage(GOLD, at(0.5), at(2.5))
    assert (report.from_, report.to, report.stored_minutes) == (at(1), at(3), 2)


async def test_minute_that_is_not_over_is_left_out(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0))
    before = Timeframe.M1.bucket_start(datetime.now(NOON.tzinfo))
    report = await store.coverage(GOLD, before - timedelta(minutes=2), before + timedelta(days=1))
    assert before <= report.to <= Timeframe.M1.bucket_start(datetime.now(NOON.tzinfo))


async def test_complete_period_has_no_gap(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 5))
    assert missing(await store.coverage(GOLD, at(0), at(8))) == [(1, 5), (6, 8)]
    await mark(ohlcv_database, (0, 3), (4, 7))
    report = await store.coverage(GOLD, at(0), at(8))
    assert missing(report) == [(3, 4), (7, 8)]
    assert (report.expected_minutes, report.stored_minutes, report.empty_minutes) == (4, 2, 4)


async def test_period_of_another_symbol_changes_nothing(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 5))
    await mark(ohlcv_database, (0, 9), market=Market("bitmex", "GOLD"))
    assert missing(await store.coverage(GOLD, at(0), at(6))) == [(1, 5)]


async def test_consecutive_trade_ids_prove_an_empty_minute(ohlcv_database: Database, store: CandleStore) -> None:
    await put_trades(
        ohlcv_database,
        "GOLD",
        [Trade(at(0.2), 1, 1, "7"), Trade(at(3.1), 1, 1, "8"), Trade(at(6.5), 1, 1, "10"), Trade(at(6.6), 1, 1, "11")],
    )
    report = await store.coverage(GOLD, at(0), at(8))
    assert missing(report) == [(4, 6), (7, 8)]
    assert (report.expected_minutes, report.stored_minutes, report.empty_minutes) == (6, 3, 2)
    assert report.last_trade_at == at(6.6)


async def test_trades_without_numeric_ids_prove_nothing(ohlcv_database: Database, store: CandleStore) -> None:
    await put_trades(ohlcv_database, "GOLD", [Trade(at(0), 1, 1, "a7"), Trade(at(2), 1, 1, "a8")])
    assert missing(await store.coverage(GOLD, at(0), at(3))) == [(1, 2)]


async def test_trades_fill_gaps_of_candles(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 6, 7))
    trades = [Trade(at(1.5), 1, 1, "1"), Trade(at(3.5), 1, 1, "2"), Trade(at(3.6), 1, 1, "3"), Trade(at(7), 1, 1, "5")]
    await put_trades(ohlcv_database, "GOLD", trades)
    report = await store.coverage(GOLD, at(0), at(8))
    assert missing(report) == [(4, 6)]
    assert (report.expected_minutes, report.stored_minutes, report.empty_minutes) == (7, 5, 1)


@pytest.mark.parametrize("zone", ["timestamptz", "timestamp"])
async def test_platform_tables_are_covered(ohlcv_database: Database, store: CandleStore, zone: str) -> None:
    """A view over trades without ids, and candles with the column `volume`."""
    await run(ohlcv_database, "CREATE SCHEMA kraken")
    columns = "open float8, high float8, low float8, close float8, volume float8"
    await run(ohlcv_database, f'CREATE TABLE kraken.gold_candles1m ("timestamp" {zone} PRIMARY KEY, {columns})')
    await run(
        ohlcv_database, f'CREATE TABLE kraken.gold_trades ("timestamp" {zone} PRIMARY KEY, price float8, volume float8)'
    )
    await run(
        ohlcv_database,
        'CREATE VIEW kraken.gold_candles1m_view AS SELECT date_trunc(\'minute\', "timestamp") AS "timestamp",'
        " min(price) AS open, min(price) AS high, min(price) AS low, min(price) AS close, sum(volume) AS vol"
        " FROM kraken.gold_trades GROUP BY 1",
    )
    await run(ohlcv_database, "INSERT INTO kraken.gold_candles1m VALUES ('2024-03-04 12:00Z', 1, 1, 1, 1, 1)")
    await run(ohlcv_database, "INSERT INTO kraken.gold_trades VALUES ('2024-03-04 12:00:10Z', 1, 1)")
    await run(ohlcv_database, "INSERT INTO kraken.gold_trades VALUES ('2024-03-04 12:02:10Z', 1, 1)")
    report = await store.coverage(GOLD, None, at(4))
    assert (report.from_, report.stored_minutes, missing(report)) == (NOON, 2, [(1, 2), (3, 4)])
    assert report.last_trade_at == at(2) + timedelta(seconds=10)


async def test_period_may_end_before_the_oldest_minute_or_in_the_future(
    ohlcv_database: Database, store: CandleStore
) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0))
    assert (await store.coverage(GOLD, None, at(-5))).expected_minutes == 0
    assert (await store.coverage(GOLD, None, datetime.min.replace(tzinfo=NOON.tzinfo))).expected_minutes == 0
    future = datetime.max.replace(tzinfo=NOON.tzinfo)
    assert (await store.coverage(GOLD, future - timedelta(days=1), future)).expected_minutes == 0


async def test_coarser_candles_do_not_count(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 5), Timeframe.M5)
    assert missing(await store.coverage(GOLD, at(0), at(10))) == [(0, 10)]
    assert (await store.coverage(GOLD, None, at(10))).expected_minutes == 0


async def test_symbol_without_tables_is_not_found(ohlcv_database: Database, store: CandleStore) -> None:
    with pytest.raises(NotFound):
        await store.coverage(GOLD, at(0), at(1))


@pytest.mark.parametrize(
    ("start", "end", "complaint"),
    [(at(1), at(1), "from must be before to"), (at(-3_000_000), at(0), "at most 732 days")],
)
async def test_impossible_periods_are_rejected(
    store: CandleStore, start: datetime, end: datetime, complaint: str
) -> None:
    with pytest.raises(BadUserInput, match=complaint):
        await store.coverage(GOLD, start, end)


async def test_list_of_gaps_is_limited_and_can_be_continued(ohlcv_database: Database, store: CandleStore) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(*range(0, 2 * MOST_GAPS + 6, 2)))
    end = at(2 * MOST_GAPS + 6)
    report = await store.coverage(GOLD, at(0), end)
    assert (report.gap_count, len(report.gaps), report.gaps[0].from_) == (MOST_GAPS + 3, MOST_GAPS, at(1))
    rest = await store.coverage(GOLD, report.gaps[-1].to, end)
    assert len(rest.gaps) == 3


async def test_report_is_one_statement(ohlcv_database: Database, store: CandleStore, statements: Count) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 5))
    await put_trades(ohlcv_database, "GOLD", [Trade(at(2), 1, 1, "1")])
    await mark(ohlcv_database, (0, 9))
    await store.coverage(GOLD, None, at(9))
    with statements() as seen:
        await store.coverage(GOLD, None, at(9))
    assert len(seen) == 1


async def test_marked_periods_are_joined_and_leave_the_rest(ohlcv_database: Database) -> None:
    await mark(ohlcv_database, (0, 3), (3, 5), (9, 12), (4, 6))
    async with ohlcv_database.transaction() as connection:
        found = await incomplete(connection, GOLD, at(-2), at(20))
        assert found == [MissingPeriod(at(-2), at(0)), MissingPeriod(at(6), at(9)), MissingPeriod(at(12), at(20))]
        assert await incomplete(connection, GOLD, at(1), at(5)) == []
        assert await connection.scalar(text("SELECT count(*) FROM fullon_graphql.candle_coverage")) == 1


MINUTES = st.sets(st.integers(0, 29), max_size=20)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(candles=MINUTES, traded=st.dictionaries(st.integers(0, 29), st.integers(1, 3), max_size=15), known=MINUTES)
async def test_every_minute_is_stored_or_empty_or_missing(
    ohlcv_database: Database, candles: set[int], traded: dict[int, int], known: set[int]
) -> None:
    """Against a model of each minute; the value of `traded` is the step of the trade id."""
    await run(ohlcv_database, "DROP SCHEMA IF EXISTS kraken CASCADE")
    await run(ohlcv_database, "DROP TABLE IF EXISTS fullon_graphql.candle_coverage")
    await put_candles(ohlcv_database, "GOLD", minutes(*candles))
    number, trades, proven = 0, [], set(known)
    for last, (minute, step) in zip([0, *sorted(traded)], sorted(traded.items()), strict=False):
        number += step
        trades.append(Trade(at(minute + 0.5), 1, 1, str(number)))
        if step == 1 and len(trades) > 1:
            proven |= set(range(last + 1, minute))
    await put_trades(ohlcv_database, "GOLD", trades)
    await mark(ohlcv_database, *((minute, minute + 1) for minute in known))
    report = await CandleStore(ohlcv_database).coverage(GOLD, at(0), at(30))
    there = candles | set(traded)
    lacking = set(range(30)) - there - proven
    assert {minute for start, end in missing(report) for minute in range(start, end)} == lacking
    assert report.gap_count == len(report.gaps) == sum(minute - 1 not in lacking for minute in lacking)
    assert (report.stored_minutes, report.expected_minutes, report.empty_minutes) == (
        len(there),
        len(there) + len(lacking),
        len(proven - there),
    )


async def test_recorded_trades_have_no_gap(ohlcv_database: Database, store: CandleStore, recordings: Path) -> None:
    await import_candles(ohlcv_database, recordings / "xrp-eth-candles-1m.csv.gz", "binance", "XRP/ETH")
    market = Market("binance", "XRP/ETH")
    end = datetime.fromisoformat("2019-10-12T23:59:00Z")
    report = await store.coverage(market, None, end)
    assert report.empty_minutes == 0
    assert report.gap_count > 100
    await import_trades(ohlcv_database, recordings / "xrp-eth-trades.csv.gz", "binance", "XRP/ETH")
    proven = await CandleStore(ohlcv_database).coverage(market, None, end)
    assert (proven.stored_minutes, proven.gap_count) == (report.stored_minutes, 0)
    assert proven.empty_minutes == sum(gap.minutes for gap in report.gaps)
