"""Live tickers as subscribers receive them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.subscriptions import tickers as subscription
from tests.conftest import Count
from tests.fixtures.graph import ANONYMOUS, Answer, GraphClient, principal
from tests.fixtures.rows import TRADER

ONE = 'subscription ($symbol: String!) { ticker(exchange: "kraken", symbol: $symbol) { symbol price } }'
ALL = 'subscription ($symbols: [String!]) { tickers(exchange: "kraken", symbols: $symbols) { symbol price } }'


def quote(symbol: str, price: float, time: float) -> Ticker:
    return Ticker("kraken", symbol, price, time)


async def next_of(stream: AsyncIterator[Answer]) -> object:
    answer = await anext(stream)
    assert not answer.errors, answer.errors
    [value] = answer.data.values()
    return value


async def subscribed_channels(redis: Redis) -> int:
    """The number of ticker channels with subscribers."""
    return len(await redis.pubsub_channels("ticker_updates:*")) + await redis.pubsub_numpat()


async def test_subscriber_receives_the_current_ticker_then_newer_ones(graph: GraphClient, redis: Redis) -> None:
    await tickers.write(redis, [quote("BTC/USD:BTC", 100, 10)])
    async with aclosing(graph.as_(principal(TRADER)).stream(ONE, symbol="BTC/USD:BTC")) as stream:
        assert await next_of(stream) == {"symbol": "BTC/USD:BTC", "price": 100}
        await tickers.write(redis, [quote("BTC/USD:BTC", 90, 9), quote("BTC/USD:BTC", 101, 11)])
        assert await next_of(stream) == {"symbol": "BTC/USD:BTC", "price": 101}


async def test_slow_subscriber_receives_the_newest_ticker(graph: GraphClient, redis: Redis) -> None:
    await tickers.write(redis, [quote("A", 1, 1)])
    async with aclosing(graph.as_(principal(TRADER)).stream(ONE, symbol="A")) as stream:
        await next_of(stream)
        for step in range(2, 50):
            await tickers.write(redis, [quote("A", step, step)])
        seen = 0.0
        frames = 0
        while seen < 49:
            value = await next_of(stream)
            assert isinstance(value, dict)
            assert value["price"] > seen
            seen, frames = value["price"], frames + 1
    assert frames < 48


async def test_whole_exchange_comes_first_then_changes_in_one_frame(graph: GraphClient, redis: Redis) -> None:
    await tickers.write(redis, [quote("A", 1, 1), quote("B", 2, 1)])
    await redis.set(keys.ticker_time("kraken", "A"), "1")
    async with aclosing(graph.as_(principal(TRADER)).stream(ALL)) as stream:
        assert await next_of(stream) == [{"symbol": "A", "price": 1}, {"symbol": "B", "price": 2}]
        await tickers.write(redis, [quote("C", 3, 2)])
        assert await next_of(stream) == [{"symbol": "C", "price": 3}]


async def test_tickers_of_another_exchange_are_not_sent(graph: GraphClient, redis: Redis) -> None:
    async with aclosing(graph.as_(principal(TRADER)).stream(ALL)) as stream:
        assert await next_of(stream) == []
        await tickers.write(redis, [Ticker("krakenx", "A", 1, 1), Ticker("bitmex", "A", 1, 1), quote("A", 5, 2)])
        assert await next_of(stream) == [{"symbol": "A", "price": 5}]


async def test_pattern_characters_in_a_name_are_literal(graph: GraphClient, redis: Redis) -> None:
    query = 'subscription { tickers(exchange: "k*") { price } }'
    async with aclosing(graph.as_(principal(TRADER)).stream(query)) as stream:
        assert await next_of(stream) == []
        await tickers.write(redis, [quote("A", 5, 2)])
        await tickers.write(redis, [Ticker("k*", "A", 6, 2)])
        assert await next_of(stream) == [{"price": 6}]


async def test_channel_is_unsubscribed_with_its_last_subscriber(graph: GraphClient, redis: Redis) -> None:
    trader = graph.as_(principal(TRADER))
    await tickers.write(redis, [quote("A", 1, 1)])
    async with aclosing(trader.stream(ONE, symbol="A")) as first:
        await next_of(first)
        async with aclosing(trader.stream(ONE, symbol="A")) as second:
            await next_of(second)
            assert await subscribed_channels(redis) == 1
        assert await subscribed_channels(redis) == 1
        await tickers.write(redis, [quote("A", 2, 2)])
        assert await next_of(first) == {"symbol": "A", "price": 2}
    while await subscribed_channels(redis):  # ends when the server has handled the last unsubscription
        pass


async def test_state_is_read_again_after_a_lost_connection(graph: GraphClient, redis: Redis) -> None:
    await tickers.write(redis, [quote("A", 1, 1)])
    async with aclosing(graph.as_(principal(TRADER)).stream(ONE, symbol="A")) as stream:
        await next_of(stream)
        await redis.client_kill_filter(_type="pubsub", skipme=True)
        # Written and published without subscribers.
        await redis.hset(keys.tickers("kraken"), "A", tickers.encode(quote("A", 7, 7)))
        assert await next_of(stream) == {"symbol": "A", "price": 7}


async def test_relations_are_read_again_for_each_event_in_one_statement(
    graph: GraphClient, redis: Redis, platform: object, statements: Count
) -> None:
    query = 'subscription { tickers(exchange: "kraken") { symbol instrument { symbol exchange { name } } } }'
    await tickers.write(redis, [quote("BTC/USD", 1, 1), quote("GOLD", 1, 1), quote("unlisted", 1, 1)])
    async with aclosing(graph.as_(principal(TRADER)).stream(query)) as stream:
        with statements() as sql:
            first = await next_of(stream)
        assert first == [
            {"symbol": "BTC/USD", "instrument": {"symbol": "BTC/USD", "exchange": {"name": "kraken"}}},
            {"symbol": "GOLD", "instrument": {"symbol": "GOLD", "exchange": {"name": "kraken"}}},
            {"symbol": "unlisted", "instrument": None},
        ]
        assert len(sql) == 1
        with statements() as sql:
            await tickers.write(redis, [quote("GOLD", 2, 2)])
            await next_of(stream)
        assert len(sql) == 1


@pytest.mark.parametrize("rate", [0, -1])
async def test_rate_must_be_positive(graph: GraphClient, rate: float) -> None:
    query = 'subscription ($rate: Float) { ticker(exchange: "kraken", symbol: "A", maxRate: $rate) { price } }'
    async with aclosing(graph.as_(principal(TRADER)).stream(query, rate=rate)) as stream:
        assert (await anext(stream)).codes == ["BAD_USER_INPUT"]


async def test_anonymous_subscription_is_unauthenticated(graph: GraphClient, redis: Redis) -> None:
    async with aclosing(graph.as_(ANONYMOUS).stream(ONE, symbol="A")) as stream:
        assert (await anext(stream)).codes == ["UNAUTHENTICATED"]
    assert await subscribed_channels(redis) == 0


@pytest.mark.parametrize("settled", [False, True])
async def test_stream_agrees_with_the_query_after_a_ticker_ahead_of_the_clock(
    graph: GraphClient, redis: Redis, monkeypatch: pytest.MonkeyPatch, settled: bool
) -> None:
    if settled:
        monkeypatch.setattr(subscription, "OVERLAP", 0.0)
    trader = graph.as_(principal(TRADER))
    query = '{ ticker(exchange: "kraken", symbol: "A") { price } }'
    await tickers.write(redis, [quote("A", 1, time.time())])
    async with aclosing(trader.stream(ONE, symbol="A")) as stream:
        await next_of(stream)
        for price, ahead in ((2, 9 * 3600), (3, 90), (4, 50), (5, 0), (6, 0)):
            await tickers.write(redis, [quote("A", price, time.time() + ahead)])
            shown = (await trader.data(query))["ticker"]
            if ahead > 60:
                assert shown is None
            else:
                assert shown == {"price": price}
                assert await next_of(stream) == {"symbol": "A", "price": price}


async def test_older_ticker_that_was_written_last_is_shown(
    graph: GraphClient, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "OVERLAP", 0.0)
    await tickers.write(redis, [quote("A", 1, 10)])
    async with aclosing(graph.as_(principal(TRADER)).stream(ONE, symbol="A")) as stream:
        await next_of(stream)
        await tickers.write(redis, [quote("A", 2, 9)])
        assert await next_of(stream) == {"symbol": "A", "price": 2}


async def test_state_is_replaced_after_a_reconnect(graph: GraphClient, redis: Redis) -> None:
    await tickers.write(redis, [quote("A", 1, time.time() + 50)])
    async with aclosing(graph.as_(principal(TRADER)).stream(ONE, symbol="A")) as stream:
        await next_of(stream)
        await redis.client_kill_filter(_type="pubsub", skipme=True)
        await redis.hset(keys.tickers("kraken"), "A", tickers.encode(quote("A", 7, 7)))
        assert await next_of(stream) == {"symbol": "A", "price": 7}


@pytest.mark.parametrize(
    "message",
    [
        '{"price": 50000, "time": 1795991963000}',
        '{"price": 1, "time": 1e308}',
        '{"price": 1, "time": -1}',
        b"\xff",
        "{",
    ],
)
async def test_broken_message_ends_no_stream(
    graph: GraphClient, redis: Redis, platform: object, message: str | bytes
) -> None:
    candles = (
        'subscription { candles(exchange: "kraken", symbol: "BTC/USD", timeframe: M1) { closed candle { close } } }'
    )
    trader = graph.as_(principal(TRADER))
    await tickers.write(redis, [quote("BTC/USD", 1, time.time())])
    async with (
        asyncio.timeout(30),
        aclosing(trader.stream(ONE, symbol="BTC/USD")) as stream,
        aclosing(trader.stream(candles)) as chart,
    ):
        assert await next_of(stream) == {"symbol": "BTC/USD", "price": 1}
        await next_of(chart)
        await redis.publish(keys.ticker_updates("kraken", "BTC/USD"), message)
        await tickers.write(redis, [quote("BTC/USD", 2, time.time())])
        assert await next_of(stream) == {"symbol": "BTC/USD", "price": 2}
        while (await next_of(chart)) != {"closed": False, "candle": {"close": 2}}:
            pass
    assert graph.worker.background.failures == {}
