"""A services process that is killed in the middle of a minute, and another one that starts minutes later."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import text

from fullon_graphql import models
from fullon_graphql.database import Database
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import CandleStore
from tests.daemons.feeds.conftest import PATH
from tests.fixtures.eventually import eventually, eventually_equal
from tests.fixtures.loopback.exchange import Instrument, until_subscribed
from tests.fixtures.loopback.kraken import LoopbackKraken
from tests.fixtures.rows import add

SYMBOL = "BTC/USD"
OUTAGE = 240
"""Seconds by which the clock of the first process is behind that of the second."""

Bar = tuple[float, ...]


@asynccontextmanager
async def services(environment: dict[str, str], ahead: float) -> AsyncIterator[asyncio.subprocess.Process]:
    """A services process whose clock is ahead by so many seconds. It is killed at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.daemons.shifted_services", env=environment | {"CLOCK_AHEAD": str(ahead)}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_kill_in_mid_minute_leaves_no_hole(
    environment: dict[str, str], database: Database, ohlcv_database: Database
) -> None:
    """Stored candles and trades equal the exchange's, minute by minute; the clocks are shifted instead of waiting."""
    minute = time.time() // 60 * 60 - OUTAGE
    kraken = LoopbackKraken(Instrument(SYMBOL))
    instrument = kraken.instruments[SYMBOL]
    kraken.faults.clock_ahead = ahead = minute + 15 - time.time()  # the first process starts in mid-minute
    record(kraken, minute - 1800, minute + 15)

    async def stored() -> list[Bar]:
        rows = await ohlcv_database.rows(text("SELECT * FROM kraken.btc_usd_candles1m ORDER BY timestamp"))
        return [(row.timestamp.timestamp(), row.open, row.high, row.low, row.close, row.vol) for row in rows]

    async def trades() -> int:
        row = await ohlcv_database.row(text("SELECT count(*) FROM kraken.btc_usd_trades"))
        return int(row[0]) if row else 0

    def expected(until: float) -> list[Bar]:
        return [row[:6] for row in instrument.candles(0, until)]

    await add(database, models.CatExchange, {"cat_ex_id": 1, "name": kraken.id})
    await add(database, models.Symbol, {"cat_ex_id": 1, "symbol": SYMBOL, "base": "BTC", "only_ticker": False})
    environment |= {
        "MARKET_FEED": PATH, "SERVICES_TO_AUTO_START": '["ohlcv"]', "CANDLE_HISTORY_DAYS": "1",
        "STORE_TRADES": '["kraken:*"]',
    }  # fmt: skip
    async with kraken.running():
        environment["EXCHANGE_URLS"] = json.dumps(kraken.urls)
        async with services(environment, ahead) as first:
            await until_subscribed(kraken, ("trade", SYMBOL))
            await eventually_equal(stored, expected(minute), seconds=60)
            count = len(instrument.deals)
            await kraken.trade(SYMBOL, 7.0, 0.5)
            await eventually(lambda: _is(trades, count + 1))
            first.kill()
            await first.wait()
        assert await stored() == expected(minute), "the minute of the kill is not over"
        killed, kraken.faults.clock_ahead = kraken.now(), 0.0
        record(kraken, killed, kraken.now())
        until = (kraken.now() - 15) // 60 * 60
        assert until - killed > OUTAGE - 90, "minutes are missing"
        async with services(environment, 0.0):
            await eventually_equal(stored_until(stored, until), expected(until), seconds=60)
            await eventually(lambda: _is(trades, len(instrument.deals)))
    store = CandleStore(ohlcv_database)
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (minute - 1800, until))
    report = await store.coverage(Market(kraken.id, SYMBOL), begin, end)
    assert (report.gaps, report.stored_minutes) == ([], len(expected(until)))


def record(kraken: LoopbackKraken, since: float, until: float) -> None:
    """Trades in each minute of a period, but none in every fifth minute."""
    for at in range(int(since) + 1, int(until), 7):
        if at // 60 % 5:
            kraken.record(SYMBOL, 100.0 + at % 13, 0.25, "buy" if at % 2 else "sell", float(at))


def stored_until(stored: Callable[[], Awaitable[list[Bar]]], until: float) -> Callable[[], Awaitable[list[Bar]]]:
    async def before() -> list[Bar]:
        return [bar for bar in await stored() if bar[0] < until]

    return before


async def _is(count: Callable[[], Awaitable[int]], expected: int) -> bool:
    return await count() == expected
