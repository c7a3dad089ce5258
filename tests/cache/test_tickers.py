"""Tickers: the platform's bytes, one round trip, and tolerance for broken values."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.client import connect
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings

BTC = Ticker(
    "kraken", "BTC/USD", price=64000.5, time=1718000000.25, volume=12.0, bid=64000.0, ask=64001.0, last=64000.5
)
PERPETUAL = Ticker("bitmex", "BTC/USD:BTC", price=64010.0, time=1718000001.0, volume=3.5)
GOLD = Ticker("yahoo", "GOLD", price=2350.0, time=1718000002.0, volume=0.0, change=-1.5, percentage=-0.06)

RECORDING = Path(__file__).parents[3] / "shared" / "market-data" / "kraken-ws-ticker.ndjson.gz"

Count = Callable[[], AbstractContextManager[list[str]]]


async def test_ticker_is_stored_in_the_platforms_bytes(redis: Redis) -> None:
    await tickers.write(redis, [BTC])
    assert await redis.hget("tickers:kraken", "BTC/USD") == (
        '{"symbol": "BTC/USD", "exchange": "kraken", "price": 64000.5, "volume": 12.0, "time": 1718000000.25, '
        '"bid": 64000.0, "ask": 64001.0, "last": 64000.5, "change": null, "percentage": null}'
    )
    assert await redis.get("ticker_time:kraken:BTC/USD") == "1718000000.25"


async def test_published_ticker_is_already_stored(redis: Redis) -> None:
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


async def test_nothing_to_write_or_read_needs_no_round_trip(redis: Redis, redis_calls: Count) -> None:
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
    "broken",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        '{"price": 1}',
        '{"price": "high", "time": 1}',
        '{"price": 1e999, "time": 1}',
        '{"price": NaN, "time": 1}',
        '{"price": 0, "time": 1}',
        '{"price": true, "time": 1}',
        '{"time": 1}',
        *[
            f'{{"price": 1, "time": {time}}}'
            for time in ("1795991963000", "1e15", "253402300800", "-1", "1e308", "NaN")
        ],
        b'{"price": 1, "time": 1, "note": "\xff"}',
        "[" * 100_000,
        f'{{"price": 1, "time": 1, "x": "{"x" * 1_000_000}"}}',
    ],
)
async def test_broken_ticker_is_left_out(redis: Redis, settings: Settings, broken: str | bytes) -> None:
    await tickers.write(redis, [BTC])
    await redis.hset("tickers:kraken", "BAD/USD", broken)
    async with connect(settings.redis_url, settings, "tests") as client:
        assert await tickers.read(client, "kraken") == [BTC]
        assert await tickers.read_many(client, [("kraken", "BAD/USD"), ("kraken", "BTC/USD")]) == [None, BTC]


async def test_symbol_that_is_not_utf8_is_left_out(redis: Redis, settings: Settings) -> None:
    await tickers.write(redis, [BTC])
    await redis.hset("tickers:kraken", b"\xff", tickers.encode(BTC))
    async with connect(settings.redis_url, settings, "tests") as client:
        assert await tickers.read(client, "kraken") == [BTC]


async def test_exchange_with_a_key_of_another_type_has_no_tickers(redis: Redis) -> None:
    await tickers.write(redis, [PERPETUAL])
    await redis.set("tickers:kraken", "x")
    assert await tickers.read_exchanges(redis, ["kraken", "bitmex"]) == [[], [PERPETUAL]]
    assert await tickers.read_many(redis, [("kraken", "A"), ("bitmex", PERPETUAL.symbol)]) == [None, PERPETUAL]


async def test_ticker_with_a_number_that_is_not_finite_is_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        tickers.encode(Ticker("kraken", "BTC/USD", price=float("nan"), time=1.0))


numbers = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(1e-9, 1e12)


@given(
    st.builds(
        Ticker,
        st.text(),
        st.text(),
        positive,
        st.floats(0, 4e9),
        **{name: st.none() | numbers for name in ("volume", "change", "percentage")},
        **{name: st.none() | positive for name in ("bid", "ask", "last")},
    )
)
def test_written_ticker_is_read_unchanged(ticker: Ticker) -> None:
    assert tickers.decode(ticker.exchange, ticker.symbol, tickers.encode(ticker), math.inf) == ticker


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", '"n/a"', "[]", "{}", "true", "1e999"])
def test_broken_optional_number_is_left_out(value: str) -> None:
    text = f'{{"price": 1, "time": 1, "bid": {value}, "volume": {value}, "ask": 2}}'
    assert tickers.decode("kraken", "A", text, math.inf) == Ticker("kraken", "A", 1, 1, ask=2)


def test_zero_is_no_bid_and_no_ask() -> None:
    text = '{"price": 1, "time": 1, "bid": 0, "ask": 0.0, "last": 0, "volume": 0}'
    assert tickers.decode("kraken", "A", text, math.inf) == Ticker("kraken", "A", 1, 1, volume=0)


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_make_the_decoder_fail(value: bytes) -> None:
    text = value.decode(errors="surrogateescape")
    assert tickers.decode("kraken", text, text, 1.0) is None


@pytest.mark.parametrize(("ahead", "found"), [(50, True), (90, False), (9 * 3600, False)])
async def test_ticker_ahead_of_the_clock_is_left_out_beyond_the_tolerance(
    redis: Redis, settings: Settings, ahead: float, found: bool
) -> None:
    await tickers.write(redis, [Ticker("kraken", "A", 1, time.time() + ahead)])
    assert bool(await tickers.read(redis, "kraken")) is found
    generous = settings.model_copy(update={"ticker_max_ahead": 1e6})
    async with connect(settings.redis_url, generous, "tests") as client:
        assert await tickers.read(client, "kraken")


def test_spread_is_ask_minus_bid_or_unknown() -> None:
    assert BTC.spread == 1.0
    assert GOLD.spread is None


def test_age_is_in_milliseconds_and_never_negative() -> None:
    assert BTC.age_ms(BTC.time + 1.5) == 1500
    assert BTC.age_ms(BTC.time - 1.5) == 0


@pytest.mark.skipif(not RECORDING.exists(), reason="the recorded market data are absent")
async def test_recorded_kraken_tickers_are_published_unchanged(redis: Redis) -> None:
    recorded = _recorded_tickers()
    async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.psubscribe(keys.ticker_updates("kraken", "*"))
        await pubsub.get_message(timeout=5)
        for ticker in recorded:
            await tickers.write(redis, [ticker])
        received: list[Ticker | None] = []
        async with asyncio.timeout(30):
            while len(received) < len(recorded):
                if message := await pubsub.get_message(timeout=1):
                    symbol = message["channel"].removeprefix("ticker_updates:kraken:")
                    received.append(tickers.decode("kraken", symbol, message["data"], math.inf))
    assert received == recorded
    newest = {ticker.symbol: ticker for ticker in recorded}
    assert await tickers.read(redis, "kraken") == [newest[symbol] for symbol in sorted(newest)]


def _recorded_tickers() -> list[Ticker]:
    """Tickers from Kraken's messages: ask, bid, close, and today's volume and opening price."""
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
