"""Tickers: byte for byte as the platform writes them, read in one round trip."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.tickers import Ticker

BTC = Ticker(
    "kraken", "BTC/USD", price=64000.5, time=1718000000.25, volume=12.0, bid=64000.0, ask=64001.0, last=64000.5
)
PERPETUAL = Ticker("bitmex", "BTC/USD:BTC", price=64010.0, time=1718000001.0, volume=3.5)
GOLD = Ticker("yahoo", "GOLD", price=2350.0, time=1718000002.0, volume=0.0, change=-1.5, percentage=-0.06)

RECORDING = Path(__file__).parents[3] / "shared" / "market-data" / "kraken-ws-ticker.ndjson.gz"

Count = Callable[[], AbstractContextManager[list[str]]]


async def test_a_ticker_is_stored_in_the_bytes_of_the_platform(redis: Redis) -> None:
    await tickers.write(redis, [BTC])
    assert await redis.hget("tickers:kraken", "BTC/USD") == (
        '{"symbol": "BTC/USD", "exchange": "kraken", "price": 64000.5, "volume": 12.0, "time": 1718000000.25, '
        '"bid": 64000.0, "ask": 64001.0, "last": 64000.5, "change": null, "percentage": null}'
    )
    assert await redis.get("ticker_time:kraken:BTC/USD") == "1718000000.25"


async def test_a_subscriber_hears_the_same_bytes_and_finds_them_stored_already(redis: Redis) -> None:
    async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe(keys.ticker_updates("bitmex", "BTC/USD:BTC"))
        await pubsub.get_message(timeout=5)
        await tickers.write(redis, [PERPETUAL])
        message = await pubsub.get_message(timeout=5)
    assert message is not None
    assert message["data"] == await redis.hget("tickers:bitmex", "BTC/USD:BTC")


async def test_many_tickers_are_written_in_one_round_trip(redis: Redis, redis_calls: Count) -> None:
    with redis_calls() as calls:
        await tickers.write(redis, [BTC, PERPETUAL, GOLD])
    assert len(calls) == 1


async def test_nothing_to_write_or_read_asks_nothing_of_redis(redis: Redis, redis_calls: Count) -> None:
    with redis_calls() as calls:
        await tickers.write(redis, [])
        assert await tickers.read(redis, "kraken", []) == []
        assert await tickers.read_many(redis, []) == []
    assert calls == []


async def test_symbols_are_read_in_the_order_asked_and_missing_ones_left_out(redis: Redis, redis_calls: Count) -> None:
    eth = Ticker("kraken", "ETH/USD", price=3100.0, time=1.0)
    await tickers.write(redis, [BTC, eth])
    with redis_calls() as calls:
        assert await tickers.read(redis, "kraken", ["ETH/USD", "NO/SUCH", "BTC/USD"]) == [eth, BTC]
    assert len(calls) == 1


async def test_all_tickers_of_an_exchange_come_ordered_by_symbol(redis: Redis) -> None:
    names = ["XRP/USD", "ADA/USD", "BTC/USD"]
    await tickers.write(redis, [Ticker("kraken", name, price=1.0, time=1.0) for name in names])
    assert [ticker.symbol for ticker in await tickers.read(redis, "kraken")] == sorted(names)


async def test_tickers_of_many_exchanges_are_read_in_one_round_trip(redis: Redis, redis_calls: Count) -> None:
    await tickers.write(redis, [BTC, PERPETUAL, GOLD])
    asked = [
        ("yahoo", "GOLD"),
        ("kraken", "BTC/USD"),
        ("kraken", "NO/SUCH"),
        ("bitmex", "BTC/USD:BTC"),
        ("yahoo", "GOLD"),
    ]
    with redis_calls() as calls:
        assert await tickers.read_many(redis, asked) == [GOLD, BTC, None, PERPETUAL, GOLD]
    assert len(calls) == 1


@pytest.mark.parametrize(
    "rubbish",
    ["", "{", "[]", "null", "7", '{"price": 1}', '{"price": "dear", "time": 1}', '{"price": 1e999, "time": 1}'],
)
async def test_an_unreadable_ticker_does_not_spoil_the_others(redis: Redis, rubbish: str) -> None:
    await tickers.write(redis, [BTC])
    await redis.hset("tickers:kraken", "BAD/USD", rubbish)
    assert await tickers.read(redis, "kraken") == [BTC]
    assert await tickers.read_many(redis, [("kraken", "BAD/USD"), ("kraken", "BTC/USD")]) == [None, BTC]


async def test_a_ticker_that_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        tickers.encode(Ticker("kraken", "BTC/USD", price=float("nan"), time=1.0))


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.builds(Ticker, st.text(), st.text(), numbers, numbers, *[st.none() | numbers] * 6))
def test_what_was_written_is_what_is_read(ticker: Ticker) -> None:
    assert tickers.decode(ticker.exchange, ticker.symbol, tickers.encode(ticker)) == ticker


def test_spread_is_ask_minus_bid_and_unknown_without_both() -> None:
    assert BTC.spread == 1.0
    assert GOLD.spread is None


def test_age_counts_milliseconds_and_is_never_negative() -> None:
    assert BTC.age_ms(BTC.time + 1.5) == 1500
    assert BTC.age_ms(BTC.time - 1.5) == 0


@pytest.mark.skipif(not RECORDING.exists(), reason="the recorded market data are not here")
async def test_recorded_kraken_prices_pass_through_writer_and_channel_unchanged(redis: Redis) -> None:
    recorded = _recorded_tickers()
    async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.psubscribe(keys.ticker_updates("kraken", "*"))
        await pubsub.get_message(timeout=5)
        for ticker in recorded:
            await tickers.write(redis, [ticker])
        heard: list[Ticker | None] = []
        async with asyncio.timeout(30):
            while len(heard) < len(recorded):
                if message := await pubsub.get_message(timeout=1):
                    symbol = message["channel"].removeprefix("ticker_updates:kraken:")
                    heard.append(tickers.decode("kraken", symbol, message["data"]))
    assert heard == recorded
    newest = {ticker.symbol: ticker for ticker in recorded}
    assert await tickers.read(redis, "kraken") == [newest[symbol] for symbol in sorted(newest)]


def _recorded_tickers() -> list[Ticker]:
    """What an exchange adapter makes of Kraken's messages: ask, bid, close, and today's volume and opening price."""
    found = []
    for line in gzip.decompress(RECORDING.read_bytes()).decode().splitlines():
        recorded = json.loads(line)
        _, values, _, symbol = recorded["message"]
        last, opened = float(values["c"][0]), float(values["o"][1])
        found.append(
            Ticker(
                "kraken",
                symbol,
                price=last,
                time=recorded["received"],
                volume=float(values["v"][1]),
                bid=float(values["b"][0]),
                ask=float(values["a"][0]),
                last=last,
                change=last - opened,
                percentage=(last - opened) / opened * 100,
            )
        )
    return found
