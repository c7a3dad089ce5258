"""Live tickers as subscribers receive them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.subscriptions.tickers import TickersSource
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
    while await subscribed_channels(redis):  # ends when the server has taken the word of the last one
        pass


async def test_state_is_read_again_after_a_lost_connection(graph: GraphClient, redis: Redis) -> None:
    await tickers.write(redis, [quote("A", 1, 1)])
    async with aclosing(graph.as_(principal(TRADER)).stream(ONE, symbol="A")) as stream:
        await next_of(stream)
        await redis.client_kill_filter(_type="pubsub", skipme=True)
        # Written and published while nobody listens.
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


QUOTES = st.builds(quote, st.sampled_from("AB"), st.integers(1, 3), st.integers(1, 5))


@given(st.lists(st.lists(QUOTES, unique_by=lambda ticker: ticker.symbol)))  # one message per channel waits at most
def test_newest_ticker_of_each_symbol_wins_and_no_older_one_is_sent(rounds: list[list[Ticker]]) -> None:
    seen: dict[str, Ticker] = {}
    sent = [ticker for found in rounds for ticker in TickersSource._newer(seen, found)]
    for symbol in "AB":
        times = [ticker.time for ticker in sent if ticker.symbol == symbol]
        assert times == sorted(times)
        came = [ticker for found in rounds for ticker in found if ticker.symbol == symbol]
        assert bool(times) == bool(came)
        assert not came or times[-1] == seen[symbol].time == max(ticker.time for ticker in came)
