"""Live tickers over REST."""

from __future__ import annotations

import time

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from tests.fixtures.rest import Rest, RestClient
from tests.fixtures.rows import TRADER


@pytest.fixture
async def trader(rest: Rest, redis: Redis) -> RestClient:
    prices = [
        Ticker("bitmex", symbol, price, 1_700_000_000.0) for symbol, price in (("BTC/USD:BTC", 2.0), ("A-B", 1.0))
    ]
    await tickers.write(redis, [*prices, Ticker("kraken", "BTC/USD", 3.0, 1_700_000_000.5, bid=2.5, volume=9.0)])
    return await rest.as_(TRADER)


async def test_tickers_of_an_exchange_are_sorted_by_symbol(trader: RestClient) -> None:
    answer = await trader.get("cache/tickers/bitmex")
    assert (answer["exchange"], answer["count"]) == ("bitmex", 2)
    assert [ticker["symbol"] for ticker in answer["tickers"]] == ["A-B", "BTC/USD:BTC"]
    assert (await trader.get("cache/tickers/mtgox"))["tickers"] == []


@pytest.mark.parametrize("symbol", ["BTC/USD", "BTC%2FUSD", "BTC-USD", "BTC/USD/"])
async def test_ticker_is_found_by_every_spelling_of_the_symbol(trader: RestClient, symbol: str) -> None:
    assert await trader.get(f"cache/tickers/kraken/{symbol}") == {
        "exchange": "kraken",
        "symbol": "BTC/USD",
        "ticker": {"price": 3.0, "bid": 2.5, "ask": None, "last": None, "volume": 9.0, "change": None,
                   "percentage": None, "time": 1_700_000_000.5},
        "cached_at": "2023-11-14T22:13:20.500000+00:00",
        "cache_hit": True,
    }  # fmt: skip


async def test_symbol_with_a_dash_takes_precedence(trader: RestClient) -> None:
    assert (await trader.get("cache/tickers/bitmex/A-B"))["symbol"] == "A-B"
    assert await trader.refused("cache/tickers/bitmex/NOBODY") == (404, "NOT_FOUND")


async def test_active_tickers_are_younger_than_a_minute(trader: RestClient, redis: Redis) -> None:
    now = time.time()
    await tickers.write(redis, [Ticker("kraken", "GOLD", 1.0, now - 5), Ticker("kraken", "OLD", 1.0, now - 61)])
    for path in ("cache/tickers/kraken/active", "cache/kraken/tickers/active", "/api/tickers/kraken/active"):
        answer = await trader.get(path)
        assert (answer["exchange"], answer["count"]) == ("kraken", 1)
        assert [ticker["symbol"] for ticker in answer["tickers"]] == ["GOLD"]
    for path in ("cache/tickers/mtgox/active", "cache/bots/tickers/active"):
        assert await trader.refused(path) == (404, "NOT_FOUND")


async def test_ticker_health_has_the_newest_time_by_exchange(trader: RestClient) -> None:
    assert await trader.get("cache/tickers/health") == {
        "bitmex": {"tickers": 2, "newest": "2023-11-14T22:13:20+00:00"},
        "kraken": {"tickers": 1, "newest": "2023-11-14T22:13:20.500000+00:00"},
    }
