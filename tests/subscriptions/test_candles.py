"""Live candles, as subscribers see them: stored bars, the forming one, closes and corrections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.candles import announce
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.context import Context
from fullon_graphql.database import Database
from fullon_graphql.ohlcv import live
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import MAX_BARS
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.writer import create_candles, upsert_candles
from fullon_graphql.schema.candles import CandleUpdate
from fullon_graphql.subscriptions.candles import PATIENCE, Chart
from tests.fixtures.graph import ANONYMOUS, GraphClient, principal
from tests.fixtures.rows import TRADER

NOON = datetime(2024, 3, 4, 12, tzinfo=UTC)
MARKET = Market("kraken", "BTC/USD")
LIVE = """subscription ($symbol: String! = "BTC/USD", $timeframe: Timeframe! = M1, $last: Int, $from: DateTime) {
  candles(exchange: "kraken", symbol: $symbol, timeframe: $timeframe, last: $last, from: $from) {
    closed candle { time open high low close volume } } }"""

OTHERS_HANG_UP = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

Seen = tuple[str, float, float, float, float, float, bool]


class Clock:
    """Stands at noon until it is set."""

    now = NOON

    def __call__(self) -> float:
        return self.now.timestamp()


class Listener:
    """Somebody who listens to a chart, with a clock of their own."""

    def __init__(self, chart: Chart, updates: AsyncGenerator[CandleUpdate, None]) -> None:
        self.chart = chart
        self._updates = updates

    async def next(self) -> Seen:
        async with asyncio.timeout(30):
            return seen(await anext(self._updates))

    def state(self) -> list[Seen]:
        return list(map(seen, self.chart.state()))

    async def until(self, wanted: Callable[[Seen], bool]) -> list[Seen]:
        """What comes, up to the first that is wanted."""
        told = [await self.next()]
        while not wanted(told[-1]):
            told.append(await self.next())
        return told


def seen(update: CandleUpdate) -> Seen:
    bar = update.candle
    return (f"{bar.time:%H:%M}", bar.open, bar.high, bar.low, bar.close, bar.volume, update.closed)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def bar(minutes: float, *prices: float, volume: float = 1.0) -> Candle:
    """A bar of four prices, or of one."""
    open_, high, low, close = prices * 4 if len(prices) == 1 else prices
    return Candle(at(minutes), open_, high, low, close, volume)


def told(minute: str, *values: float, closed: bool = False) -> Seen:
    open_, high, low, close, volume = values if len(values) == 5 else (*values * 4, 1.0)
    return (minute, open_, high, low, close, volume, closed)


class Exchange:
    """Writes what an exchange, the candle daemon and others would."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self.database = database
        self.redis = redis

    async def store(self, *bars: Candle, silently: bool = False) -> None:
        async with self.database.transaction() as connection:
            await create_candles(connection, MARKET.exchange, MARKET.symbol)
            await upsert_candles(connection, MARKET.exchange, MARKET.symbol, bars)
        if not silently:
            await self.announce()

    async def announce(self, complete_until: datetime | None = None) -> None:
        until = complete_until.timestamp() if complete_until else 0
        await announce(self.redis, [(MARKET.exchange, MARKET.symbol)], until)

    async def trade(self, minutes: float, price: float) -> None:
        await tickers.write(self.redis, [Ticker(MARKET.exchange, MARKET.symbol, price, at(minutes).timestamp())])


@pytest.fixture
def exchange(ohlcv_database: Database, redis: Redis) -> Exchange:
    return Exchange(ohlcv_database, redis)


@pytest.fixture
def clock() -> Clock:
    return Clock()


Listen = Callable[..., AbstractAsyncContextManager[Listener]]


@pytest.fixture
def listen(graph: GraphClient, platform: Database, clock: Clock) -> Listen:
    """Listen to the chart of BTC/USD: `async with listen(last=2) as listener: …`."""
    graph.worker.settings.stream_poll_interval = 3600  # what is told at once must not wait for a look

    @asynccontextmanager
    async def listen(timeframe: Timeframe = Timeframe.M1, **asked: Any) -> AsyncIterator[Listener]:
        chart = Chart(Context(graph.worker, caller=principal(TRADER)), MARKET, timeframe, clock=clock, **asked)
        async with aclosing(chart.events()) as updates:
            yield Listener(chart, updates)

    return listen


async def test_the_newest_closed_bars_come_first_and_then_the_forming_one(listen: Listen, exchange: Exchange) -> None:
    await exchange.store(bar(-3, 1), bar(-2, 2), bar(-1, 3))
    await exchange.trade(0, 5)
    async with listen(last=2) as listener:
        assert await listener.next() == told("11:58", 2, closed=True)
        assert await listener.next() == told("11:59", 3, closed=True)
        assert await listener.next() == told("12:00", 5, 5, 5, 5, 0)
        await exchange.trade(0.3, 7)
        assert await listener.next() == told("12:00", 5, 7, 5, 7, 0)
        await exchange.trade(0.6, 4)
        assert await listener.next() == told("12:00", 5, 7, 4, 4, 0)


async def test_a_bar_closes_once_with_the_stored_values_and_the_next_one_forms_meanwhile(
    listen: Listen, exchange: Exchange, clock: Clock
) -> None:
    await exchange.store(bar(-1, 3))
    await exchange.trade(0.1, 5)
    async with listen() as listener:
        await listener.until(lambda update: update == told("12:00", 5, 5, 5, 5, 0))
        clock.now = at(1.02)
        await exchange.trade(1.01, 6)
        assert await listener.next() == told("12:01", 6, 6, 6, 6, 0)
        await exchange.store(bar(0, 4, 9, 3, 5, volume=8))
        assert await listener.next() == told("12:00", 4, 9, 3, 5, 8, closed=True)
        await exchange.announce(at(1))
        await exchange.trade(1.03, 7)
        assert await listener.next() == told("12:01", 6, 7, 6, 7, 0)


async def test_prices_that_come_all_at_once_are_all_in_the_bar(listen: Listen, exchange: Exchange) -> None:
    await exchange.store(bar(-1, 3))
    await exchange.trade(0, 5)
    async with listen() as listener:
        await listener.until(lambda update: not update[-1])
        for seconds, price in enumerate((9, 2, 6), 1):
            await exchange.trade(seconds / 60, price)
        last = (await listener.until(lambda update: update[4] == 6))[-1]
        assert last == told("12:00", 5, 9, 2, 6, 0)


async def test_a_stored_bar_that_changes_later_is_told_again(listen: Listen, exchange: Exchange) -> None:
    await exchange.store(bar(-3, 1), bar(-2, 2), bar(-1, 3))
    async with listen(last=3) as listener:
        await listener.until(lambda update: update[0] == "11:59")
        await exchange.store(bar(-2, 2.5))
        assert await listener.next() == told("11:58", 2.5, closed=True)


async def test_what_is_stored_without_a_word_is_found_all_the_same(
    graph: GraphClient, listen: Listen, exchange: Exchange
) -> None:
    graph.worker.settings.stream_poll_interval = 0.05
    await exchange.store(bar(-2, 2), bar(-1, 3))
    async with listen(last=2) as listener:
        await listener.until(lambda update: update[0] == "11:59")
        await exchange.store(bar(-1, 3.5), silently=True)
        assert await listener.next() == told("11:59", 3.5, closed=True)


async def test_a_longer_bar_is_made_of_stored_minutes_and_live_prices(
    listen: Listen, exchange: Exchange, clock: Clock
) -> None:
    clock.now = at(2.5)
    await exchange.store(bar(0, 4, 9, 3, 5), bar(1, 5, 6, 5, 6, volume=2))
    await exchange.trade(2.1, 7)
    async with listen(Timeframe.M5) as listener:
        assert await listener.next() == told("12:00", 4, 9, 3, 7, 3)
        await exchange.trade(2.2, 1)
        assert await listener.next() == told("12:00", 4, 9, 1, 1, 3)
        clock.now = at(3.05)
        await exchange.store(bar(2, 7, 7, 1, 2, volume=5))
        assert await listener.next() == told("12:00", 4, 9, 1, 2, 8)


async def test_a_longer_bar_waits_for_its_last_minute(listen: Listen, exchange: Exchange, clock: Clock) -> None:
    clock.now = at(4.9)
    await exchange.store(bar(0, 4), bar(3, 5))
    async with listen(Timeframe.M5) as listener:
        assert await listener.next() == told("12:00", 4, 5, 4, 5, 2)
        clock.now = at(5.01)
        await exchange.announce()
        await exchange.trade(5, 7)
        assert await listener.next() == told("12:05", 7, 7, 7, 7, 0)
        await exchange.store(bar(4, 6))
        assert await listener.next() == told("12:00", 4, 6, 4, 6, 3, closed=True)


async def test_a_longer_bar_whose_last_minutes_are_empty_closes_when_the_writer_says_that_they_are(
    listen: Listen, exchange: Exchange, clock: Clock
) -> None:
    clock.now = at(4.9)
    await exchange.store(bar(0, 4), bar(3, 5))
    async with listen(Timeframe.M5) as listener:
        assert not (await listener.next())[-1]
        clock.now = at(5.05)
        await exchange.announce(at(5))
        assert await listener.next() == told("12:00", 4, 5, 4, 5, 2, closed=True)


async def test_a_longer_bar_of_a_silent_writer_closes_after_some_time(
    listen: Listen, exchange: Exchange, clock: Clock
) -> None:
    await exchange.store(bar(0, 4), bar(3, 5))
    clock.now = at(5) + PATIENCE - timedelta(seconds=1)
    async with listen(Timeframe.M5) as listener:
        assert await listener.next() == told("12:00", 4, 5, 4, 5, 2)
        clock.now = at(5) + PATIENCE
        await exchange.announce()
        assert await listener.next() == told("12:00", 4, 5, 4, 5, 2, closed=True)


async def test_a_stream_goes_on_from_a_bar_without_a_hole(listen: Listen, exchange: Exchange) -> None:
    await exchange.store(*(bar(-minute, minute) for minute in range(1, 8)))
    async with listen(start=at(-4)) as listener:
        assert [(await listener.next())[0] for _ in range(4)] == ["11:56", "11:57", "11:58", "11:59"]
        await exchange.trade(0.1, 1)
        assert await listener.next() == told("12:00", 1, 1, 1, 1, 0)


async def test_an_instrument_that_nothing_is_stored_of_begins_with_its_first_bar(
    listen: Listen, exchange: Exchange, clock: Clock
) -> None:
    await exchange.trade(0.1, 5)
    async with listen(last=3) as listener:
        assert await listener.next() == told("12:00", 5, 5, 5, 5, 0)
        clock.now = at(1.1)
        await exchange.store(bar(0, 4))
        assert await listener.next() == told("12:00", 4, closed=True)


async def test_who_joins_later_is_told_the_same_bars(listen: Listen, exchange: Exchange, clock: Clock) -> None:
    await exchange.store(bar(-3, 1), bar(-2, 2), bar(-1, 3))
    await exchange.trade(0, 5)
    async with listen(last=2) as listener:
        assert listener.state() == []
        await listener.next()
        assert listener.state() == [told("11:58", 2, closed=True)]
        await listener.until(lambda update: not update[-1])
        assert listener.state() == [
            told("11:58", 2, closed=True), told("11:59", 3, closed=True), told("12:00", 5, 5, 5, 5, 0)
        ]  # fmt: skip
        clock.now = at(1.1)
        await exchange.store(bar(-1, 3.5), bar(0, 4))
        await listener.until(lambda update: update[0] == "12:00")
        assert listener.state() == [told("11:59", 3.5, closed=True), told("12:00", 4, closed=True)]


async def test_a_restarted_redis_is_read_again(listen: Listen, exchange: Exchange) -> None:
    await exchange.store(bar(-1, 3))
    async with listen() as listener:
        assert await listener.next() == told("11:59", 3, closed=True)
        await exchange.redis.client_kill_filter(_type="pubsub", skipme=True)
        # Stored and published while nobody listens.
        price = tickers.encode(Ticker("kraken", "BTC/USD", 7, at(0.5).timestamp()))
        await exchange.redis.hset(keys.tickers("kraken"), "BTC/USD", price)
        assert await listener.next() == told("12:00", 7, 7, 7, 7, 0)


async def test_a_candle_store_that_is_silent_for_a_while_ends_no_stream(
    graph: GraphClient, listen: Listen, exchange: Exchange
) -> None:
    graph.worker.settings.stream_poll_interval = 0.05
    await exchange.store(bar(-1, 3))
    async with listen() as listener:
        assert await listener.next() == told("11:59", 3, closed=True)
        async with exchange.database.transaction() as connection:
            await connection.execute(text(OTHERS_HANG_UP))
        await exchange.store(bar(-1, 4))
        assert await listener.next() == told("11:59", 4, closed=True)


async def test_nothing_is_forgotten_of_the_bars_that_were_asked_for_and_older_ones_are(
    listen: Listen, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WATCHED", 2)
    await exchange.store(*(bar(-minute, minute) for minute in range(1, 7)))
    async with listen(last=4) as listener:
        await listener.until(lambda update: update[0] == "11:59")
        assert [update[0] for update in listener.state()] == ["11:56", "11:57", "11:58", "11:59"]
        await exchange.store(bar(-4, 9), bar(-2, 9))
        assert await listener.next() == told("11:58", 9, closed=True)


async def test_the_graph_has_them(graph: GraphClient, platform: Database, exchange: Exchange) -> None:
    await exchange.store(bar(0, 1, 3, 1, 2, volume=4), bar(1, 2))
    async with aclosing(graph.as_(principal(TRADER)).stream(LIVE, last=1)) as stream:
        candle = {"time": "2024-03-04T12:01:00+00:00", "open": 2, "high": 2, "low": 2, "close": 2, "volume": 1}
        assert (await anext(stream)).data == {"candles": {"closed": True, "candle": candle}}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"symbol": "NO/NE"}, "NOT_FOUND"),
        ({"last": 0}, "BAD_USER_INPUT"),
        ({"last": MAX_BARS + 1}, "BAD_USER_INPUT"),
        ({"symbol": "NO/NE", "from": "2024-01-01T00:00:00Z"}, "NOT_FOUND"),
    ],
)
async def test_what_cannot_be_answered_ends_with_a_code(
    graph: GraphClient, platform: Database, asked: dict[str, Any], code: str
) -> None:
    async with aclosing(graph.as_(principal(TRADER)).stream(LIVE, **asked)) as stream:
        assert (await anext(stream)).codes == [code]


async def test_nobody_listens_without_signing_in(graph: GraphClient, exchange: Exchange) -> None:
    async with aclosing(graph.as_(ANONYMOUS).stream(LIVE)) as stream:
        assert (await anext(stream)).codes == ["UNAUTHENTICATED"]
