"""Two days of a real market, written minute by minute while clients are subscribed."""

from __future__ import annotations

import asyncio
import csv
import gzip
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import cast

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import tickers
from fullon_graphql.cache.candles import announce
from fullon_graphql.cache.client import Client
from fullon_graphql.cache.hub import Hub
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.context import Context
from fullon_graphql.database import Database
from fullon_graphql.ohlcv.candles import Candle, MarketCandle
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.writer import create_candles, upsert_candles
from fullon_graphql.schema.candles import CandleUpdate
from fullon_graphql.subscriptions.candles import CandleSource
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER
from tests.fixtures.shared import shared
from tests.ohlcv.filling import read_candles

MARKET = Market("binance", "XRP/ETH")
INSTRUMENT = (MARKET.exchange, MARKET.symbol)
MINUTE = timedelta(minutes=1)
MINUTES_AT_ONCE = [1, 1, 2, 7, 1, 30]
LIMIT = 120


@pytest.fixture(scope="module")
def recorded() -> list[Candle]:
    with gzip.open(shared("market-data/xrp-eth-candles-1m.csv.gz"), "rt") as file:
        return [candle(row) for row in csv.DictReader(file)]


def candle(row: dict[str, str]) -> Candle:
    open_, high, low, close, volume = (float(row[name]) for name in ("open", "high", "low", "close", "volume"))
    return Candle(datetime.fromtimestamp(int(row["time_ms"]) / 1000, UTC), open_, high, low, close, volume)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def replay(database: Database, redis: Redis, recorded: Sequence[Candle], clock: Clock) -> None:
    """Write the recording like the daemon: the prices of each minute before its bar."""
    sizes, done = cycle(MINUTES_AT_ONCE), 0
    while part := recorded[done : done + next(sizes)]:
        done += len(part)
        for bar in part:
            seconds = zip((1, 20, 40, 59), (bar.open, bar.high, bar.low, bar.close), strict=True)
            for second, price in seconds:
                await tickers.write(redis, [Ticker(*INSTRUMENT, price, bar.time.timestamp() + second)])
        over = (part[-1].time + MINUTE).timestamp()
        async with database.transaction() as connection:
            await upsert_candles(connection, *INSTRUMENT, part)
        clock.now = over + 2
        await announce(redis, [INSTRUMENT], over)
    clock.now += 40 * 24 * 3600
    await announce(redis, [INSTRUMENT], clock.now)


async def until_subscribed(hub: Hub, listeners: int) -> None:
    await eventually(lambda: hub.listeners >= listeners, LIMIT)


async def listen(chart: CandleSource, wanted: int) -> list[CandleUpdate]:
    """The updates until `count` bars have closed."""
    received: list[CandleUpdate] = []
    async with asyncio.timeout(LIMIT), aclosing(chart.events()) as updates:
        async for update in updates:
            received.append(update)
            wanted -= update.closed
            if not wanted:
                break
    return received


def closed(received: Sequence[CandleUpdate]) -> list[Candle]:
    return [Candle(*cast("MarketCandle", update.candle)[:6]) for update in received if update.closed]


async def test_closed_bars_equal_the_table_once_and_in_order(
    graph: GraphClient, ohlcv_database: Database, redis: Redis, recorded: list[Candle]
) -> None:
    clock, context = Clock(), Context(graph.worker, caller=principal(TRADER))
    clock.now = (recorded[0].time - MINUTE).timestamp()
    cast("Client", context.worker.redis).ticker_max_ahead = 3600  # the clock moves after up to 30 minutes of prices
    async with ohlcv_database.transaction() as connection:
        await create_candles(connection, *INSTRUMENT)
    timeframes = [Timeframe.M1, Timeframe.M15, Timeframe.H4, Timeframe.D1, Timeframe.MN1]
    counts = [len({timeframe.bucket_start(bar.time) for bar in recorded}) for timeframe in timeframes]
    async with asyncio.TaskGroup() as group:
        listening = [
            group.create_task(listen(CandleSource(context, MARKET, timeframe, clock=clock), count))
            for timeframe, count in zip(timeframes, counts, strict=True)
        ]
        await until_subscribed(graph.worker.hub, len(timeframes))
        group.create_task(replay(ohlcv_database, redis, recorded, clock))
    for timeframe, task in zip(timeframes, listening, strict=True):
        received = task.result()
        assert closed(received) == await read_candles(graph.worker.candles, *INSTRUMENT, timeframe), timeframe
        assert any(not update.closed for update in received), f"nothing of {timeframe} was seen while it was forming"
        for update in received:
            bar = update.candle
            assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high

    stored = await read_candles(graph.worker.candles, *INSTRUMENT, Timeframe.M15)
    for place in (0, 1, len(stored) // 2, len(stored) - 1):
        chart = CandleSource(context, MARKET, Timeframe.M15, start=stored[place].time, clock=clock)
        assert closed(await listen(chart, len(stored) - place)) == stored[place:]
