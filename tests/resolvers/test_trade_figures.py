"""Figures of the stored trades of candles: number, average price, and volume by side."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import partial
from itertools import groupby
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache.candles import announce
from fullon_graphql.database import Database
from fullon_graphql.engine.operations import OperationExecutor
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.writer import StoredTrade, create_candles, create_trades, insert_trades, upsert_candles
from tests.conftest import Count
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER
from tests.ohlcv.filling import run

START = datetime(2024, 2, 28, 22, 17, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIGURES = "trades vwap buyVolume sellVolume"
BOTH = f"""query ($symbol: String! = "GOLD", $timeframe: Timeframe! = M1, $fill: Boolean, $asOf: DateTime) {{
  candles(exchange: "kraken", symbol: $symbol, timeframe: $timeframe, fill: $fill, asOf: $asOf) {{ time {FIGURES} }}
  candleColumns(exchange: "kraken", symbol: $symbol, timeframe: $timeframe, fill: $fill, asOf: $asOf) {{
    time {FIGURES} }} }}"""


@pytest.fixture
def trader(graph: GraphClient, platform: Database) -> GraphClient:
    return graph.as_(principal(TRADER))


async def put_trades(database: Database, symbol: str, trades: Sequence[StoredTrade]) -> None:
    async with database.transaction() as connection:
        await create_trades(connection, "kraken", symbol)
        await insert_trades(connection, "kraken", symbol, trades)


async def put_candles(database: Database, symbol: str, times: Sequence[datetime]) -> None:
    async with database.transaction() as connection:
        await create_candles(connection, "kraken", symbol)
        await upsert_candles(connection, "kraken", symbol, [Candle(time, 1, 1, 1, 1, 1) for time in times])


def trade(at: datetime, price: float = 1.0, volume: float = 1.0, side: str = "buy") -> StoredTrade:
    return StoredTrade(at, price, volume, side, f"{at.timestamp()}{price}{side}")


async def by_both(trader: GraphClient, **variables: Any) -> dict[datetime, dict[str, Any]]:
    """The figures by time, which both executions and both forms return alike."""
    data = await trader.data(BOTH, **variables)
    reference = GraphClient(
        trader.graph, trader.worker, OperationExecutor(trader.graph.core, planning=False), trader.streams, trader.caller
    )
    assert await reference.data(BOTH, **variables) == data
    rows, columns = data["candles"], data["candleColumns"]
    assert columns.pop("time") == [datetime.fromisoformat(row["time"]).timestamp() * 1000 for row in rows]
    assert columns == {name: [row[name] for row in rows] for name in FIGURES.split()}
    return {datetime.fromisoformat(row.pop("time")): row for row in rows}


def decimal(number: float) -> Fraction:
    """The number as it is written."""
    return Fraction(repr(number))


def summed(trades: Sequence[StoredTrade]) -> dict[str, Any]:
    volume = sum(decimal(one.volume) for one in trades)
    bought, sold = (sum(decimal(one.volume) for one in trades if one.side == side) for side in ("buy", "sell"))
    worth = sum(decimal(one.price) * decimal(one.volume) for one in trades)
    return {
        "trades": len(trades), "vwap": float(worth / volume), "buyVolume": float(bought), "sellVolume": float(sold),
    }  # fmt: skip


def bucket_of(timeframe: Timeframe, one: StoredTrade) -> datetime:
    return timeframe.bucket_start(one.time)


async def test_figures_are_exact_sums_for_every_timeframe(trader: GraphClient, ohlcv_database: Database) -> None:
    random = Random(3)
    times = [START + timedelta(milliseconds=random.randrange(40 * 86_400_000)) for _ in range(100)]
    times += [START + timedelta(milliseconds=random.randrange(600_000)) for _ in range(100)]
    trades = [
        trade(at, random.uniform(0.1, 1e5), random.choice([1e-8, 0.1, 1e9 / 3]) * random.random(), side)
        for at in sorted(times)
        for side in random.sample(["buy", "sell"], random.randint(1, 2))
    ]
    await put_trades(ohlcv_database, "GOLD", trades)
    for timeframe in Timeframe:
        bucket = partial(bucket_of, timeframe)
        expected = {start: summed(list(group)) for start, group in groupby(trades, bucket)}
        assert await by_both(trader, timeframe=timeframe.name) == expected


async def test_bars_without_complete_trades_have_no_figures(trader: GraphClient, ohlcv_database: Database) -> None:
    """Trades are stored from 22:31 to 23:10, candles from 22:17 to 23:30."""
    minutes = [START + n * MINUTE for n in range(74)]
    await put_candles(ohlcv_database, "GOLD", minutes)
    await put_trades(
        ohlcv_database, "GOLD", [trade(at + 20 * MINUTE / 60, side="Sell") for at in minutes[14:54] if at.minute != 40]
    )
    one = {"trades": 1, "vwap": 1.0, "buyVolume": 0.0, "sellVolume": 1.0}
    none = dict.fromkeys(one)
    found = await by_both(trader)
    assert found == {at: one if at in minutes[14:54] and at.minute != 40 else none for at in minutes}
    quarters = [
        (start.minute, figures["trades"]) for start, figures in (await by_both(trader, timeframe="M15")).items()
    ]
    assert quarters == [(15, None), (30, None), (45, 15), (0, None), (15, None), (30, None)]
    assert await by_both(trader, timeframe="H1") == dict.fromkeys(
        (datetime(2024, 2, 28, hour, tzinfo=UTC) for hour in (22, 23)), none
    )
    await put_candles(ohlcv_database, "BTC/USD", minutes[::2])
    assert set(map(str, (await by_both(trader, symbol="BTC/USD", fill=True)).values())) == {str(none)}


async def test_figures_as_of_a_time_are_of_the_trades_until_then(trader: GraphClient, ohlcv_database: Database) -> None:
    await put_candles(ohlcv_database, "GOLD", [START, START + MINUTE])
    await put_trades(ohlcv_database, "GOLD", [trade(START + n * MINUTE / 2) for n in range(4)])
    figures = await by_both(trader, timeframe="D1", asOf=(START + MINUTE).isoformat())
    assert [found["trades"] for found in figures.values()] == [3]


async def test_trades_without_volume_or_side_have_no_figures_of_them(
    trader: GraphClient, ohlcv_database: Database
) -> None:
    await put_trades(ohlcv_database, "GOLD", [trade(START, volume=0.0, side="")])
    nothing = {"trades": 1, "vwap": None, "buyVolume": None, "sellVolume": None}
    assert list((await by_both(trader)).values()) == [nothing]
    await run(ohlcv_database, "ALTER TABLE kraken.gold_trades DROP COLUMN side")
    trader.worker.candles.known_sources.clear()
    assert list((await by_both(trader)).values()) == [nothing]


async def test_trades_are_read_once_and_only_if_figures_are_selected(
    trader: GraphClient, ohlcv_database: Database, statements: Count
) -> None:
    for symbol in ("GOLD", "BTC/USD"):
        await put_candles(ohlcv_database, symbol, [START])
        await put_trades(ohlcv_database, symbol, [trade(START)])
    root = '{ candles(exchange: "kraken", symbol: "GOLD", timeframe: M1) { close FIGURES } }'
    columns = '{ candleColumns(exchange: "kraken", symbol: "GOLD", timeframe: M1) { close FIGURES } }'
    nested = "{ symbols { nodes { candles(timeframe: M1) { close FIGURES } } } }"
    counts = []
    for query in (root, columns, nested):
        for selected in ("", FIGURES):
            text = query.replace("FIGURES", selected)
            await trader.data(text)  # the tables are cached now
            with statements() as seen:
                await trader.data(text)
            counts.append(len(seen))
    assert [with_figures - without for without, with_figures in zip(counts[::2], counts[1::2], strict=True)] == [
        1,
        1,
        1,
    ]
    data = await trader.data(nested.replace("FIGURES", FIGURES))
    assert sorted(bar["trades"] for one in data["symbols"]["nodes"] for bar in one["candles"]) == [1, 1]


async def test_live_candles_have_figures(trader: GraphClient, ohlcv_database: Database, redis: Redis) -> None:
    await put_candles(ohlcv_database, "GOLD", [START])
    await put_trades(ohlcv_database, "GOLD", [trade(START, 2.0, 3.0)])
    live = f'subscription {{ candles(exchange: "kraken", symbol: "GOLD", timeframe: M1) {{ candle {{ close {FIGURES} }} }} }}'
    async with aclosing(trader.stream(live)) as answers:
        first = await anext(answers)
        assert first.data["candles"]["candle"] == {
            "close": 1.0, "trades": 1, "vwap": 2.0, "buyVolume": 3.0, "sellVolume": 0.0,
        }  # fmt: skip
        await put_trades(ohlcv_database, "GOLD", [trade(START + MINUTE, 5.0, 1.0, "sell")])
        await put_candles(ohlcv_database, "GOLD", [START + MINUTE])
        await announce(redis, [("kraken", "GOLD")], 0)
        second = await anext(answers)
        assert second.data["candles"]["candle"]["sellVolume"] == 1.0
