"""The candle daemon against an exchange whose candles are known: history, interruptions, restarts."""

from __future__ import annotations

import asyncio
import csv
import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from fullon_graphql.config import Settings
from fullon_graphql.daemons import ohlcv
from fullon_graphql.daemons.control.state import Timing
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.daemons.feeds.market_feed import LiveFrom, MarketTrade
from fullon_graphql.daemons.history import LEAD
from fullon_graphql.daemons.ohlcv import OhlcvDaemon
from fullon_graphql.database import Database
from fullon_graphql.models import Symbol
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.timeframes import Timeframe
from tests.daemons.scripted_exchange import PATH, ScriptedExchange, ScriptedFeed
from tests.fixtures.eventually import eventually
from tests.ohlcv.filling import read_candles, run

START = 1_718_000_040.0  # a whole minute
SYMBOL = "BTC/USD"
MARKET = Market("kraken", SYMBOL)


@pytest.fixture(autouse=True)
def _scripted(market: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.market_feed, settings.candle_history_days = PATH, 1
    monkeypatch.setattr(ohlcv, "PAUSE", 0.01)
    monkeypatch.setattr(ohlcv, "ticker_max_ahead", lambda _redis: 3600.0)


def exchange_with(trades: Sequence[MarketTrade]) -> ScriptedExchange:
    ScriptedFeed.exchange = ScriptedExchange(START, trades)
    return ScriptedFeed.exchange


def trade(seconds: float, price: float = 1.0, number: int | None = None, exchange: str = "kraken") -> MarketTrade:
    symbol = SYMBOL if exchange == "kraken" else "BTC/USD:BTC"
    return MarketTrade(exchange, symbol, price, 1.0, "buy", START + seconds, str(number or int(seconds * 10)))


def trades_of(minutes: int) -> list[MarketTrade]:
    """Two trades in each minute, but none in every fifth."""
    return [
        trade(60 * minute + second, price=minute + second / 60)
        for minute in range(minutes)
        for second in (10, 50)
        if minute % 5 != 4
    ]


def exchange_time(minutes: int) -> datetime:
    """The time this many minutes after the start."""
    return datetime.fromtimestamp(START + 60 * minutes, UTC)


@asynccontextmanager
async def running(resources: Resources) -> AsyncIterator[OhlcvDaemon]:
    daemon = OhlcvDaemon(resources, ScriptedFeed.exchange.clock)
    await daemon.start()
    try:
        await eventually(lambda: connected(daemon))
        yield daemon
    finally:
        await daemon.stop()


async def play(exchange: ScriptedExchange, seconds: float) -> None:
    """Deliver the trades of the following seconds, step by step."""
    while seconds > 0:
        exchange.deliver(exchange.advance(min(seconds, 5)))
        await eventually(lambda: exchange.is_read)
        seconds -= 5


async def connected(daemon: OhlcvDaemon) -> bool:
    return all(instrument.bars is not None for instrument in daemon._instruments.values())


async def stored(database: Database) -> list[Candle]:
    return await read_candles(CandleStore(database), "kraken", SYMBOL, Timeframe.M1)


async def becomes(database: Database, minutes: int) -> None:
    """Wait until the store has the exchange's candles of this many minutes after the start."""

    async def equal() -> bool:
        found = [bar for bar in await stored(database) if bar.time < exchange_time(minutes)]
        return found == ScriptedFeed.exchange.candles(SYMBOL, START, START + 60 * minutes)

    await eventually(equal)


async def test_history_comes_first_and_is_complete(resources: Resources, ohlcv_database: Database) -> None:
    exchange = exchange_with(trades_of(12))
    exchange.advance(10 * 60 + 5)
    async with running(resources) as daemon:
        await becomes(ohlcv_database, 9)  # the tenth minute may not be settled yet
        minutes = 2 * (24 * 60 - 1)  # of both symbols, without the one that is not settled
        await eventually(lambda: daemon.progress == (minutes, minutes))
    report = await CandleStore(ohlcv_database).coverage(MARKET, exchange_time(0), exchange_time(10))
    assert [gap.from_ for gap in report.gaps] == [exchange_time(9)]
    assert (report.stored_minutes, report.empty_minutes) == (8, 1)


async def test_seam_minute_comes_from_the_exchange_and_the_next_one_from_trades(
    resources: Resources, ohlcv_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ohlcv, "CHECK", 1e9)
    exchange = exchange_with(trades_of(5))
    exchange.advance(130)  # in the third minute, of which a trade has passed already
    async with running(resources) as daemon:
        await becomes(ohlcv_database, 2)
        await play(exchange, 60 + ohlcv.SETTLE)
        await becomes(ohlcv_database, 3)
        asked = len(exchange.asked)
        await play(exchange, 60)
        await becomes(ohlcv_database, 4)
        assert len([one for one in exchange.asked if one[0] == SYMBOL]) <= asked
        assert daemon._instruments["kraken", SYMBOL].is_live


async def test_restart_after_three_minutes_leaves_no_hole(resources: Resources, ohlcv_database: Database) -> None:
    exchange = exchange_with(trades_of(12))
    exchange.advance(150)
    async with running(resources):
        await becomes(ohlcv_database, 2)
        await play(exchange, 95)  # stops in mid-minute
    exchange.asked.clear()
    exchange.advance(180)
    async with running(resources):
        await play(exchange, 80)
        await becomes(ohlcv_database, 8)
    assert min(since for symbol, since, _ in exchange.asked if symbol == SYMBOL) >= START - 86_400 - LEAD
    report = await CandleStore(ohlcv_database).coverage(MARKET, None, exchange_time(8))
    assert report.gap_count == 0


async def test_stored_history_is_not_requested_again(resources: Resources, ohlcv_database: Database) -> None:
    exchange = exchange_with(trades_of(12))
    exchange.advance(600)
    async with running(resources):
        await becomes(ohlcv_database, 9)
    exchange.asked.clear()
    async with running(resources):
        await eventually(asked)
    # It asks for the time before, of which it has nothing, and perhaps for a minute that was new when it stopped.
    end = START + 9 * 60 - LEAD
    overlapping = [one for one in exchange.asked if one[0] == SYMBOL and one[2] > START and one[1] < end]
    assert overlapping == []


async def test_interrupted_history_resumes_where_it_ended(
    resources: Resources, ohlcv_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ohlcv, "RETRY", Timing(first_backoff=0, longest_backoff=0))
    exchange = exchange_with(trades_of(30))
    failures = iter([True, True, False])
    exchange.failing = lambda symbol, since: symbol == SYMBOL and since == START and next(failures, False)
    exchange.advance(25 * 60)
    async with running(resources):
        await becomes(ohlcv_database, 24)


async def test_live_candles_are_stored_if_the_exchange_has_no_history(
    resources: Resources, ohlcv_database: Database
) -> None:
    exchange = exchange_with(trades_of(4))
    exchange.failing = lambda _symbol, _since: True
    exchange.advance(1)
    async with running(resources) as daemon:
        exchange.now += 75
        await eventually(lambda: failed(daemon))
        exchange.now -= 75
        await play(exchange, 59)
        await play(exchange, 60 + ohlcv.GRACE + 1)

        async def second_minute() -> bool:
            return await stored(ohlcv_database) == exchange.candles(SYMBOL, START + 60, START + 120)

        await eventually(second_minute)


async def failed(daemon: OhlcvDaemon) -> bool:
    return daemon._instruments["kraken", SYMBOL].failures > 0


async def test_broken_exchange_does_not_stop_the_other(resources: Resources, ohlcv_database: Database) -> None:
    exchange = exchange_with(trades_of(5))
    exchange.broken = {"bitmex"}
    exchange.advance(250)
    daemon = OhlcvDaemon(resources, exchange.clock)
    await daemon.start()
    await becomes(ohlcv_database, 4)
    await daemon.stop()


async def test_daemon_fails_if_all_exchanges_are_broken(resources: Resources) -> None:
    exchange_with([]).broken = {"bitmex", "kraken"}
    daemon = OhlcvDaemon(resources, ScriptedFeed.exchange.clock)
    await daemon.start()
    with pytest.raises(ExceptionGroup):
        async with asyncio.timeout(15):
            await daemon.wait()
    await daemon.stop()


async def test_late_trades_correct_stored_candles(resources: Resources, ohlcv_database: Database) -> None:
    exchange = exchange_with(trades_of(12))
    exchange.advance(250)
    async with running(resources):
        await becomes(ohlcv_database, 4)
        exchange.trades = sorted([*exchange.trades, trade(65, price=99)], key=lambda one: one.time)
        exchange.advance(ohlcv.CHECK + 60)
        await becomes(ohlcv_database, 9)


async def test_trades_are_stored_where_they_are_wanted(
    resources: Resources, ohlcv_database: Database, settings: Settings
) -> None:
    settings.store_trades = ["kraken:BTC/USD"]
    exchange = exchange_with(trades_of(8))
    exchange.advance(100)
    count = text("SELECT count(*) AS number FROM kraken.btc_usd_trades")

    async def number(expected: int) -> bool:
        row = await ohlcv_database.row(count)
        return row is not None and row.number == expected

    async with running(resources):
        await eventually(lambda: number(2))  # of the past
        await play(exchange, 60)
        await eventually(lambda: number(5))  # two live ones, and one before the stream with the candle of its minute
        await play(exchange, ohlcv.CHECK)
        await eventually(lambda: number(13))
    tables = await ohlcv_database.rows(text("SELECT tablename FROM pg_tables WHERE tablename LIKE '%trades'"))
    assert [row.tablename for row in tables] == ["btc_usd_trades"]


async def test_table_that_cannot_be_written_is_left_out(resources: Resources, ohlcv_database: Database) -> None:
    await run(ohlcv_database, "CREATE SCHEMA bitmex")
    await run(ohlcv_database, 'CREATE TABLE bitmex.btc_usd_btc_candles1m ("timestamp" timestamptz, open float8)')
    exchange = exchange_with(trades_of(5))
    exchange.advance(200)
    async with running(resources) as daemon:
        assert list(daemon._instruments) == [("kraken", SYMBOL)]
        await becomes(ohlcv_database, 3)


@pytest.mark.parametrize("zone", ["timestamptz", "timestamp"])
async def test_platform_tables_are_filled(resources: Resources, ohlcv_database: Database, zone: str) -> None:
    await run(ohlcv_database, "CREATE SCHEMA kraken")
    columns = "open float8, high float8, low float8, close float8, volume float8"
    await run(ohlcv_database, f'CREATE TABLE kraken.btc_usd_candles1m ("timestamp" {zone} PRIMARY KEY, {columns})')
    await run(
        ohlcv_database,
        f'CREATE TABLE kraken.btc_usd_trades ("timestamp" {zone} PRIMARY KEY, price float8, volume float8, side text,'
        " type text)",
    )
    exchange = exchange_with(trades_of(6))
    exchange.advance(250)
    async with running(resources):
        await becomes(ohlcv_database, 4)
        await play(exchange, 75)
        await becomes(ohlcv_database, 5)


async def test_days_of_the_catalogue_apply_without_setting(
    resources: Resources, database: Database, settings: Settings
) -> None:
    settings.candle_history_days = None
    async with database.transaction() as connection:
        await connection.execute(update(Symbol).values(backtest=2).where(Symbol.symbol == SYMBOL))
    exchange = exchange_with(trades_of(5))
    exchange.advance(120)
    async with running(resources):
        await eventually(asked)
    assert min(since for symbol, since, _ in exchange.asked if symbol == SYMBOL) == START + 120 - 2 * 86_400 - LEAD


async def asked() -> bool:
    return SYMBOL in {symbol for symbol, _, _ in ScriptedFeed.exchange.asked}


FAULTS = st.sampled_from(["deliver", "deliver", "lose", "repeat", "reorder", "disconnect", "restart", "late"])
STEPS = st.lists(st.tuples(FAULTS, st.integers(5, 75)), min_size=3, max_size=8)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_stored_candles_equal_those_of_the_exchange(
    resources: Resources, ohlcv_database: Database, steps: list[tuple[str, int]]
) -> None:
    """After any mix of faults, minute by minute."""
    await run(ohlcv_database, "DROP SCHEMA IF EXISTS kraken, bitmex, fullon_graphql CASCADE")
    exchange = exchange_with(trades_of(30))
    exchange.advance(70)
    async with _restarts(resources) as restart:
        recent: list[MarketTrade] = []
        for fault, seconds in steps:
            recent = exchange.advance(seconds)
            if fault == "restart":
                await restart()
            elif fault == "disconnect":
                exchange.deliver([LiveFrom("kraken", [SYMBOL], exchange.now)])
            elif fault != "lose":
                exchange.deliver({"repeat": recent * 2, "reorder": recent[::-1], "late": recent[1:]}.get(fault, recent))
                exchange.deliver(recent[:1] if fault == "late" else [])
            await asyncio.sleep(0.02)  # lets the daemon work in the midst of the faults
        exchange.advance(2 * ohlcv.CHECK)
        await becomes(ohlcv_database, int(exchange.now - ohlcv.SETTLE - START) // 60)


@asynccontextmanager
async def _restarts(resources: Resources) -> AsyncIterator[Any]:
    daemons = [OhlcvDaemon(resources, ScriptedFeed.exchange.clock)]
    await daemons[0].start()

    async def restart() -> None:
        await daemons[-1].stop()
        daemons.append(OhlcvDaemon(resources, ScriptedFeed.exchange.clock))
        await daemons[-1].start()

    try:
        yield restart
    finally:
        await daemons[-1].stop()


async def test_recorded_trades_become_the_recorded_candles(
    resources: Resources, database: Database, ohlcv_database: Database
) -> None:
    """An hour of history and an hour of live trades, with an interruption in between."""
    folder = Path(__file__).parents[3] / "shared" / "market-data"
    if not folder.is_dir():
        pytest.skip("the recordings (../shared/market-data) are not here")
    with gzip.open(folder / "xrp-eth-trades.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    trades = [
        MarketTrade(
            "kraken", SYMBOL, float(row["price"]), float(row["volume"]), row["side"], int(row["time_ms"]) / 1000,
            row["trade_id"],
        )
        for row in rows
    ]  # fmt: skip
    begin = trades[0].time // 60 * 60
    ScriptedFeed.exchange = exchange = ScriptedExchange(begin, [one for one in trades if one.time < begin + 10_000])
    exchange.advance(3600)
    async with running(resources):
        for seconds in (600, 1234, 66):
            exchange.deliver(exchange.advance(seconds))
            exchange.advance(40)
            exchange.deliver([LiveFrom("kraken", [SYMBOL], exchange.now)])
            await asyncio.sleep(0.02)
        exchange.deliver(exchange.advance(900))
        with gzip.open(folder / "xrp-eth-candles-1m.csv.gz", "rt") as file:
            expected = [
                tuple(float(row[name]) for name in ("time_ms", "open", "high", "low", "close", "volume"))
                for row in csv.DictReader(file)
                if int(row["time_ms"]) / 1000 + 60 <= exchange.now - ohlcv.SETTLE
            ]

        async def equal() -> bool:
            bars = [bar for bar in await stored(ohlcv_database) if bar.time.timestamp() <= expected[-1][0] / 1000]
            found = [(bar.time.timestamp() * 1000, *bar[1:]) for bar in bars]
            return len(found) == len(expected) and all(map(_approximately, found, expected))

        await eventually(equal)


def _approximately(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one == pytest.approx(other)
