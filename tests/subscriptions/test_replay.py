"""Replays: recorded trades and bars as streams, in order, at their pace, and without a loss."""

from __future__ import annotations

import asyncio
import csv
import gzip
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.context import Context
from fullon_graphql.database import Database
from fullon_graphql.engine.operations import Request
from fullon_graphql.ohlcv.importing import import_candles, import_trades
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.services.candles import MarketData
from fullon_graphql.services.replay import ticks
from fullon_graphql.subscriptions.replay import FASTEST, MAX_SYMBOLS, Pace, ReplaySource
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import ANONYMOUS, GraphClient, principal
from tests.fixtures.rows import TRADER
from tests.fixtures.shared import shared
from tests.ohlcv.filling import NOON, Trade, flat, minutes, put_candles, put_trades

HOUR = {"from": "2019-10-11T12:00:00Z", "to": "2019-10-11T13:00:00Z"}
TICKERS = """subscription ($exchange: String! = "kraken", $symbols: [String!]!, $from: DateTime!, $to: DateTime!,
                           $speed: Float, $maxRate: Float) {
  replayTickers(exchange: $exchange, symbols: $symbols, from: $from, to: $to, speed: $speed, maxRate: $maxRate) {
    symbol price last bid ask spread volume time ageMs } }"""
CANDLES = """subscription ($exchange: String! = "kraken", $symbol: String! = "GOLD", $timeframe: Timeframe! = M1,
                           $from: DateTime!, $to: DateTime!, $speed: Float) {
  replayCandles(exchange: $exchange, symbol: $symbol, timeframe: $timeframe, from: $from, to: $to, speed: $speed) {
    closed candle { time open high low close volume trades } } }"""


@pytest.fixture
def trader(graph: GraphClient, platform: Database) -> GraphClient:
    return graph.as_(principal(TRADER))


@pytest.fixture
async def recorded(ohlcv_database: Database) -> list[dict[str, str]]:
    """The trades of XRP/ETH in `HOUR`; two days of its trades and bars are stored."""
    trades = shared("market-data/xrp-eth-trades.csv.gz")
    await import_trades(ohlcv_database, trades, "binance", "XRP/ETH")
    candles = shared("market-data/xrp-eth-candles-1m.csv.gz")
    await import_candles(ohlcv_database, candles, "binance", "XRP/ETH", timeframe=Timeframe.M1)
    first, last = (datetime.fromisoformat(time).timestamp() * 1000 for time in HOUR.values())
    with gzip.open(trades, "rt") as file:
        return [row for row in csv.DictReader(file) if first <= int(row["time_ms"]) < last]


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def period(start: float, end: float) -> dict[str, str]:
    return {"from": at(start).isoformat(), "to": at(end).isoformat()}


async def values(client: GraphClient, query: str, **variables: Any) -> list[Any]:
    """The values of a stream that completes without an error."""
    found = []
    async with asyncio.timeout(60), aclosing(client.stream(query, **variables)) as answers:
        async for answer in answers:
            assert not answer.errors, answer.errors
            [value] = answer.data.values()
            found.append(value)
    return found


async def refusal(client: GraphClient, query: str, **variables: Any) -> str:
    async with asyncio.timeout(60), aclosing(client.stream(query, **variables)) as answers:
        answer = await anext(answers)
    [error] = answer.errors
    return f"{error['extensions']['code']}: {error['message']}"


async def test_replayed_tickers_are_the_recorded_trades_in_order(
    trader: GraphClient, recorded: list[dict[str, str]]
) -> None:
    frames = await values(trader, TICKERS, exchange="binance", symbols=["XRP/ETH"], **HOUR)
    replayed = [(round(datetime.fromisoformat(ticker["time"]).timestamp() * 1000), ticker["price"])
                for [ticker] in frames]  # fmt: skip
    assert replayed == [(int(row["time_ms"]), float(row["price"])) for row in recorded]
    assert frames[0][0] == {
        "symbol": "XRP/ETH", "price": replayed[0][1], "last": replayed[0][1], "bid": None, "ask": None, "spread": None,
        "volume": None, "time": frames[0][0]["time"], "ageMs": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize("timeframe", ["M1", "M15"])
async def test_replayed_bars_close_with_the_stored_values(
    trader: GraphClient, recorded: list[dict[str, str]], timeframe: str
) -> None:
    updates = await values(trader, CANDLES, exchange="binance", symbol="XRP/ETH", timeframe=timeframe, **HOUR)
    closed = [update["candle"] for update in updates if update["closed"]]
    data = await trader.data(
        f"""query ($from: DateTime, $to: DateTime) {{
          candles(exchange: "binance", symbol: "XRP/ETH", timeframe: {timeframe}, from: $from, to: $to) {{
            time open high low close volume trades }} }}""",
        **HOUR,
    )
    assert closed == data["candles"]
    forming = {update["candle"]["time"]: update["candle"] for update in updates if not update["closed"]}
    assert [{**forming[bar["time"]], "volume": None} for bar in closed] == [{**bar, "volume": None} for bar in closed]
    assert [forming[bar["time"]]["volume"] for bar in closed] == pytest.approx([bar["volume"] for bar in closed])
    assert len(updates) == len(recorded) + len(closed)


async def test_without_trades_each_bar_is_a_ticker_at_its_end(trader: GraphClient, ohlcv_database: Database) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 3, 4))
    await put_candles(ohlcv_database, "BTC/USD", minutes(1, 2))
    frames = await values(trader, TICKERS, symbols=["GOLD", "BTC/USD", "GOLD"], **period(1, 4.5))
    assert [[(one["time"], one["symbol"], one["price"]) for one in frame] for frame in frames] == [
        [(at(2).isoformat(), "GOLD", 1.0), (at(2).isoformat(), "BTC/USD", 1.0)],
        [(at(3).isoformat(), "BTC/USD", 2.0)],
        [(at(4).isoformat(), "GOLD", 3.0)],
    ]


async def test_longer_bars_form_from_minutes(trader: GraphClient, ohlcv_database: Database) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(1, 3, 5, 9, 10))
    updates = await values(trader, CANDLES, timeframe="M5", **period(-1, 11))
    assert [(one["closed"], *list(one["candle"].values())[1:6]) for one in updates] == [
        (False, 1, 1, 1, 1, 1), (False, 1, 3, 1, 3, 2), (True, 1, 3, 1, 3, 2),
        (False, 5, 5, 5, 5, 1), (True, 5, 9, 5, 9, 2), (False, 10, 10, 10, 10, 1),
    ]  # fmt: skip


async def test_bars_are_replayed_before_and_after_the_stored_trades(
    trader: GraphClient, ohlcv_database: Database
) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 1, 2, 3, 4))
    await put_trades(ohlcv_database, "GOLD", [Trade(at(2 + n / 8), 7.0 + n, 1.0, str(n)) for n in range(8)])
    frames = await values(trader, TICKERS, symbols=["GOLD"], **period(0, 5))
    assert [ticker["price"] for [ticker] in frames] == [0, 1, *range(7, 15), 3, 4]


async def test_pages_leave_no_trade_out(trader: GraphClient, ohlcv_database: Database) -> None:
    trades = [Trade(at(n // 7), float(n), 1.0, str(n)) for n in range(40)]
    await put_trades(ohlcv_database, "GOLD", trades)
    data = MarketData(trader.worker.candles, trader.worker.database, trader.caller)
    for page in (1, 3, 7, 20):
        found = [tick.bar.close async for tick in ticks(data, Market("kraken", "GOLD"), at(0), at(99), page)]
        assert found == [trade.price for trade in trades], page


class Clock:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(
    offsets=st.lists(st.integers(0, 5_000_000), max_size=20).map(sorted),
    speed=st.none() | st.floats(0.1, FASTEST),
    interval=st.sampled_from([0.0, 0.5, 2.0]),
)
async def test_events_are_due_at_the_recorded_time_over_the_speed(
    offsets: list[int], speed: float | None, interval: float
) -> None:
    async def timed() -> AsyncGenerator[tuple[datetime, int], None]:
        for offset in offsets:
            yield NOON + timedelta(milliseconds=offset), offset

    clock = Clock()
    source = ReplaySource(timed, Pace(NOON, speed, interval, clock, clock.sleep))
    sent = [(clock.now - 1_000, event) async for batch in source.batches() for event in batch]
    assert [event for _, event in sent] == offsets
    due = 0.0
    for number, (time, offset) in enumerate(sent):
        due = max(due + interval * bool(number), offset / 1000 / speed if speed else 0.0)
        assert time == pytest.approx(due)


def executed(client: GraphClient) -> float:
    """The number of events that have been executed."""
    lines = client.operations.metrics.text().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("fullon_graphql_events_total"))


async def test_slow_subscriber_slows_its_replay_and_loses_nothing(
    trader: GraphClient, ohlcv_database: Database
) -> None:
    trader.worker.settings.stream_backlog = 3
    await put_candles(ohlcv_database, "GOLD", [flat(at(n), float(n)) for n in range(1_000)])
    context = Context(trader.worker, caller=trader.caller)
    request = Request(TICKERS, variables={"symbols": ["GOLD"], **period(0, 1_000)})
    async with trader.streams.subscribe(request, context) as frames:
        first = await anext(frames)
        await eventually(lambda: executed(trader) >= 3)
        for _ in range(200):
            await asyncio.sleep(0)
        assert executed(trader) <= 200
        prices = [orjson.loads(frame.body)["data"]["replayTickers"][0]["price"] async for frame in frames]
    assert orjson.loads(first.body)["data"]["replayTickers"][0]["price"] == 0
    assert prices == [float(n) for n in range(1, 1_000)]


async def test_closed_subscription_ends_its_replay(trader: GraphClient, ohlcv_database: Database) -> None:
    await put_candles(ohlcv_database, "GOLD", minutes(0, 10_000))
    variables = {"symbols": ["GOLD"], "speed": 1.0, **period(0, 20_000)}
    before = asyncio.all_tasks()
    for _ in range(2):
        async with trader.streams.subscribe(
            Request(TICKERS, variables=variables), Context(trader.worker, caller=trader.caller)
        ):
            await eventually(lambda: len(asyncio.all_tasks()) > len(before))
    await eventually(lambda: asyncio.all_tasks() <= before)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"speed": 0.01}, "BAD_USER_INPUT: `speed` is 0.01; it takes 0.1 to 10000, or 0 for no pauses."),
        ({"speed": -1.0}, "BAD_USER_INPUT: `speed` is -1; it takes 0.1 to 10000, or 0 for no pauses."),
        ({"maxRate": 0.0}, "BAD_USER_INPUT: `maxRate` is 0.0; it takes a number above 0."),
        ({"symbols": []}, "BAD_USER_INPUT: `symbols` has 0 entries; it takes 1 to 50."),
        ({"symbols": [str(n) for n in range(MAX_SYMBOLS + 1)]}, "BAD_USER_INPUT: `symbols` has 51 entries"),
        (period(5, 5), "BAD_USER_INPUT: from must be before to"),
        ({"symbols": ["NOTHING"]}, "NOT_FOUND: No candles of 'NOTHING' on 'kraken'."),
    ],
)
async def test_arguments_out_of_bounds_are_refused(
    trader: GraphClient, variables: dict[str, Any], expected: str
) -> None:
    given_ = {"symbols": ["GOLD"], **period(0, 5), **variables}
    assert (await refusal(trader, TICKERS, **given_)).startswith(expected)


async def test_replays_require_a_signed_in_user(graph: GraphClient, platform: Database) -> None:
    assert (await refusal(graph.as_(ANONYMOUS), CANDLES, **period(0, 5))).startswith("UNAUTHENTICATED")


async def test_catalogued_instrument_without_prices_completes_at_once(trader: GraphClient) -> None:
    assert await values(trader, CANDLES, symbol="BTC/USD", **period(0, 5)) == []


async def test_replay_reserves_the_cost_of_its_rate(trader: GraphClient) -> None:
    trader.worker.settings.subscription_cost_per_socket = 10_000
    given_ = {"symbols": ["BTC/USD"], **period(0, 5)}
    assert (await refusal(trader, TICKERS, **given_)).startswith("QUERY_TOO_COMPLEX")
    assert await values(trader, TICKERS, **given_, maxRate=50.0) == []
