"""Live candles as subscribers receive them: stored bars, the forming bar, closes and corrections."""

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
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import MAX_BARS
from fullon_graphql.ohlcv.writer import create_candles, upsert_candles
from fullon_graphql.schema.candles import CandleUpdate
from fullon_graphql.subscriptions.candles import CLOSE_DELAY, CandleSource
from tests.fixtures.graph import ANONYMOUS, GraphClient, principal
from tests.fixtures.rows import TRADER

NOON = datetime(2024, 3, 4, 12, tzinfo=UTC)
MARKET = Market("kraken", "BTC/USD")
LIVE = """subscription ($symbol: String! = "BTC/USD", $timeframe: Timeframe! = M1, $last: Int, $from: DateTime) {
  candles(exchange: "kraken", symbol: $symbol, timeframe: $timeframe, last: $last, from: $from) {
    closed candle { time open high low close volume } } }"""

TERMINATE_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

Seen = tuple[str, float, float, float, float, float, bool]


class Clock:
    """A clock that returns noon until it is set."""

    now = NOON

    def __call__(self) -> float:
        return self.now.timestamp()


class Reader:
    """The updates of a source."""

    def __init__(self, source: CandleSource, updates: AsyncGenerator[CandleUpdate, None]) -> None:
        self.source = source
        self._updates = updates

    async def next(self) -> Seen:
        async with asyncio.timeout(30):
            return seen(await anext(self._updates))

    def snapshot(self) -> list[Seen]:
        return list(map(seen, self.source.snapshot()))

    async def until(self, condition: Callable[[Seen], bool]) -> list[Seen]:
        """The updates up to the first that meets the condition."""
        updates = [await self.next()]
        while not condition(updates[-1]):
            updates.append(await self.next())
        return updates


def seen(update: CandleUpdate) -> Seen:
    bar = update.candle
    return (f"{bar.time:%H:%M}", bar.open, bar.high, bar.low, bar.close, bar.volume, update.closed)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def bar(minutes: float, *prices: float, volume: float = 1.0) -> Candle:
    """A bar of four prices, or of one."""
    open_, high, low, close = prices * 4 if len(prices) == 1 else prices
    return Candle(at(minutes), open_, high, low, close, volume)


def expected(minute: str, *values: float, closed: bool = False) -> Seen:
    open_, high, low, close, volume = values if len(values) == 5 else (*values * 4, 1.0)
    return (minute, open_, high, low, close, volume, closed)


class Exchange:
    """Writes in place of an exchange, the candle daemon and other programs."""

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


Read = Callable[..., AbstractAsyncContextManager[Reader]]


@pytest.fixture
def read(graph: GraphClient, platform: Database, clock: Clock) -> Read:
    """Read a source of BTC/USD: `async with read(last=2) as reader: …`."""
    graph.worker.settings.stream_poll_interval = 3600  # announcements must not depend on polling

    @asynccontextmanager
    async def read(timeframe: Timeframe = Timeframe.M1, **arguments: Any) -> AsyncIterator[Reader]:
        source = CandleSource(
            Context(graph.worker, caller=principal(TRADER)), MARKET, timeframe, clock=clock, **arguments
        )
        async with aclosing(source.events()) as updates:
            yield Reader(source, updates)

    return read


async def test_newest_closed_bars_come_first_then_the_forming_bar(read: Read, exchange: Exchange) -> None:
    await exchange.store(bar(-3, 1), bar(-2, 2), bar(-1, 3))
    await exchange.trade(0, 5)
    async with read(last=2) as reader:
        assert await reader.next() == expected("11:58", 2, closed=True)
        assert await reader.next() == expected("11:59", 3, closed=True)
        assert await reader.next() == expected("12:00", 5, 5, 5, 5, 0)
        await exchange.trade(0.3, 7)
        assert await reader.next() == expected("12:00", 5, 7, 5, 7, 0)
        await exchange.trade(0.6, 4)
        assert await reader.next() == expected("12:00", 5, 7, 4, 4, 0)


async def test_bar_closes_once_with_stored_values_while_the_next_one_forms(
    read: Read, exchange: Exchange, clock: Clock
) -> None:
    await exchange.store(bar(-1, 3))
    await exchange.trade(0.1, 5)
    async with read() as reader:
        await reader.until(lambda update: update == expected("12:00", 5, 5, 5, 5, 0))
        clock.now = at(1.02)
        await exchange.trade(1.01, 6)
        assert await reader.next() == expected("12:01", 6, 6, 6, 6, 0)
        await exchange.store(bar(0, 4, 9, 3, 5, volume=8))
        assert await reader.next() == expected("12:00", 4, 9, 3, 5, 8, closed=True)
        await exchange.announce(at(1))
        await exchange.trade(1.03, 7)
        assert await reader.next() == expected("12:01", 6, 7, 6, 7, 0)


async def test_every_price_of_a_burst_is_in_the_bar(read: Read, exchange: Exchange) -> None:
    await exchange.store(bar(-1, 3))
    await exchange.trade(0, 5)
    async with read() as reader:
        await reader.until(lambda update: not update[-1])
        for seconds, price in enumerate((9, 2, 6), 1):
            await exchange.trade(seconds / 60, price)
        last = (await reader.until(lambda update: update[4] == 6))[-1]
        assert last == expected("12:00", 5, 9, 2, 6, 0)


async def test_corrected_bar_is_sent_again(read: Read, exchange: Exchange) -> None:
    await exchange.store(bar(-3, 1), bar(-2, 2), bar(-1, 3))
    async with read(last=3) as reader:
        await reader.until(lambda update: update[0] == "11:59")
        await exchange.store(bar(-2, 2.5))
        assert await reader.next() == expected("11:58", 2.5, closed=True)


async def test_bar_stored_without_a_notice_is_found_by_polling(
    graph: GraphClient, read: Read, exchange: Exchange
) -> None:
    graph.worker.settings.stream_poll_interval = 0.05
    await exchange.store(bar(-2, 2), bar(-1, 3))
    async with read(last=2) as reader:
        await reader.until(lambda update: update[0] == "11:59")
        await exchange.store(bar(-1, 3.5), silently=True)
        assert await reader.next() == expected("11:59", 3.5, closed=True)


async def test_longer_bar_combines_stored_minutes_and_live_prices(read: Read, exchange: Exchange, clock: Clock) -> None:
    clock.now = at(2.5)
    await exchange.store(bar(0, 4, 9, 3, 5), bar(1, 5, 6, 5, 6, volume=2))
    await exchange.trade(2.1, 7)
    async with read(Timeframe.M5) as reader:
        assert await reader.next() == expected("12:00", 4, 9, 3, 7, 3)
        await exchange.trade(2.2, 1)
        assert await reader.next() == expected("12:00", 4, 9, 1, 1, 3)
        clock.now = at(3.05)
        await exchange.store(bar(2, 7, 7, 1, 2, volume=5))
        assert await reader.next() == expected("12:00", 4, 9, 1, 2, 8)


async def test_longer_bar_closes_after_its_last_minute_is_stored(read: Read, exchange: Exchange, clock: Clock) -> None:
    clock.now = at(4.9)
    await exchange.store(bar(0, 4), bar(3, 5))
    async with read(Timeframe.M5) as reader:
        assert await reader.next() == expected("12:00", 4, 5, 4, 5, 2)
        clock.now = at(5.01)
        await exchange.announce()
        await exchange.trade(5, 7)
        assert await reader.next() == expected("12:05", 7, 7, 7, 7, 0)
        await exchange.store(bar(4, 6))
        assert await reader.next() == expected("12:00", 4, 6, 4, 6, 3, closed=True)


async def test_longer_bar_with_empty_last_minutes_closes_on_the_writers_notice(
    read: Read, exchange: Exchange, clock: Clock
) -> None:
    clock.now = at(4.9)
    await exchange.store(bar(0, 4), bar(3, 5))
    async with read(Timeframe.M5) as reader:
        assert not (await reader.next())[-1]
        clock.now = at(5.05)
        await exchange.announce(at(5))
        assert await reader.next() == expected("12:00", 4, 5, 4, 5, 2, closed=True)


async def test_longer_bar_without_a_notice_closes_after_the_delay(read: Read, exchange: Exchange, clock: Clock) -> None:
    await exchange.store(bar(0, 4), bar(3, 5))
    clock.now = at(5) + CLOSE_DELAY - timedelta(seconds=1)
    async with read(Timeframe.M5) as reader:
        assert await reader.next() == expected("12:00", 4, 5, 4, 5, 2)
        clock.now = at(5) + CLOSE_DELAY
        await exchange.announce()
        assert await reader.next() == expected("12:00", 4, 5, 4, 5, 2, closed=True)


async def test_stream_resumes_from_a_bar_without_a_gap(read: Read, exchange: Exchange) -> None:
    await exchange.store(*(bar(-minute, minute) for minute in range(1, 8)))
    async with read(start=at(-4)) as reader:
        assert [(await reader.next())[0] for _ in range(4)] == ["11:56", "11:57", "11:58", "11:59"]
        await exchange.trade(0.1, 1)
        assert await reader.next() == expected("12:00", 1, 1, 1, 1, 0)


async def test_instrument_without_stored_bars_starts_with_its_first_bar(
    read: Read, exchange: Exchange, clock: Clock
) -> None:
    await exchange.trade(0.1, 5)
    async with read(last=3) as reader:
        assert await reader.next() == expected("12:00", 5, 5, 5, 5, 0)
        clock.now = at(1.1)
        await exchange.store(bar(0, 4))
        assert await reader.next() == expected("12:00", 4, closed=True)


async def test_late_subscriber_receives_the_same_bars(read: Read, exchange: Exchange, clock: Clock) -> None:
    await exchange.store(bar(-3, 1), bar(-2, 2), bar(-1, 3))
    await exchange.trade(0, 5)
    async with read(last=2) as reader:
        assert reader.snapshot() == []
        await reader.next()
        assert reader.snapshot() == [expected("11:58", 2, closed=True)]
        await reader.until(lambda update: not update[-1])
        assert reader.snapshot() == [
            expected("11:58", 2, closed=True), expected("11:59", 3, closed=True), expected("12:00", 5, 5, 5, 5, 0)
        ]  # fmt: skip
        clock.now = at(1.1)
        await exchange.store(bar(-1, 3.5), bar(0, 4))
        await reader.until(lambda update: update[0] == "12:00")
        assert reader.snapshot() == [expected("11:59", 3.5, closed=True), expected("12:00", 4, closed=True)]


async def test_state_is_read_again_after_a_redis_restart(read: Read, exchange: Exchange) -> None:
    await exchange.store(bar(-1, 3))
    async with read() as reader:
        assert await reader.next() == expected("11:59", 3, closed=True)
        await exchange.redis.client_kill_filter(_type="pubsub", skipme=True)
        # Stored and published without subscribers.
        price = tickers.encode(Ticker("kraken", "BTC/USD", 7, at(0.5).timestamp()))
        await exchange.redis.hset(keys.tickers("kraken"), "BTC/USD", price)
        assert await reader.next() == expected("12:00", 7, 7, 7, 7, 0)


async def test_outage_of_the_candle_store_ends_no_stream(graph: GraphClient, read: Read, exchange: Exchange) -> None:
    graph.worker.settings.stream_poll_interval = 0.05
    await exchange.store(bar(-1, 3))
    async with read() as reader:
        assert await reader.next() == expected("11:59", 3, closed=True)
        async with exchange.database.transaction() as connection:
            await connection.execute(text(TERMINATE_OTHERS))
        await exchange.store(bar(-1, 4))
        assert await reader.next() == expected("11:59", 4, closed=True)


async def test_requested_bars_are_kept_and_older_ones_forgotten(
    read: Read, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WATCHED", 2)
    await exchange.store(*(bar(-minute, minute) for minute in range(1, 7)))
    async with read(last=4) as reader:
        await reader.until(lambda update: update[0] == "11:59")
        assert [update[0] for update in reader.snapshot()] == ["11:56", "11:57", "11:58", "11:59"]
        await exchange.store(bar(-4, 9), bar(-2, 9))
        assert await reader.next() == expected("11:58", 9, closed=True)


async def test_candles_subscription_is_in_the_graph(graph: GraphClient, platform: Database, exchange: Exchange) -> None:
    await exchange.store(bar(0, 1, 3, 1, 2, volume=4), bar(1, 2))
    async with aclosing(graph.as_(principal(TRADER)).stream(LIVE, last=1)) as stream:
        candle = {"time": "2024-03-04T12:01:00+00:00", "open": 2, "high": 2, "low": 2, "close": 2, "volume": 1}
        assert (await anext(stream)).data == {"candles": {"closed": True, "candle": candle}}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"symbol": "NO/NE"}, "NOT_FOUND"),
        ({"last": 0}, "BAD_USER_INPUT"),
        ({"last": MAX_BARS + 1}, "BAD_USER_INPUT"),
        ({"symbol": "NO/NE", "from": "2024-01-01T00:00:00Z"}, "NOT_FOUND"),
    ],
)
async def test_invalid_subscription_ends_with_a_code(
    graph: GraphClient, platform: Database, arguments: dict[str, Any], code: str
) -> None:
    async with aclosing(graph.as_(principal(TRADER)).stream(LIVE, **arguments)) as stream:
        assert (await anext(stream)).codes == [code]


async def test_anonymous_subscription_is_unauthenticated(graph: GraphClient, exchange: Exchange) -> None:
    async with aclosing(graph.as_(ANONYMOUS).stream(LIVE)) as stream:
        assert (await anext(stream)).codes == ["UNAUTHENTICATED"]
