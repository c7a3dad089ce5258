"""Recorded tickers of Kraken on their way from the exchange through the ticker daemon into Redis and the graph."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from fullon_graphql import models
from fullon_graphql.cache import keys
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.daemons.ticker import TickerDaemon
from tests.daemons.feeds.conftest import PATH
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.loopback.exchange import Instrument, LoopbackExchange, Quote, until_subscribed
from tests.fixtures.loopback.kraken import LoopbackKraken
from tests.fixtures.loopback.okx import LoopbackOkx
from tests.fixtures.rows import TRADER, add
from tests.fixtures.shared import shared

TICKERS = "query ($exchange: String!) { tickers(exchange: $exchange) { symbol price last bid ask volume } }"


async def nothing(exchange: LoopbackExchange) -> None:
    pass


async def silence(exchange: LoopbackExchange) -> None:
    exchange.faults.silent = True


async def repeat_and_reorder(exchange: LoopbackExchange) -> None:
    exchange.faults.repeat, exchange.faults.reorder = 3, True


async def too_many_requests(exchange: LoopbackExchange) -> None:
    await exchange.disconnect()
    exchange.faults.too_many_requests = 3


async def wrong_clock(exchange: LoopbackExchange) -> None:
    exchange.faults.clock_ahead = 7200


def recorded() -> dict[str, Quote]:
    """The last recorded quote of each symbol, in ccxt's spelling."""
    quotes = {}
    with gzip.open(shared("market-data/kraken-ws-ticker.ndjson.gz"), "rt") as file:
        for line in file:
            _, data, _, name = json.loads(line)["message"]
            quotes[name.replace("XBT", "BTC")] = Quote(
                last=float(data["c"][0]), bid=float(data["b"][0]), ask=float(data["a"][0]), volume=float(data["v"][1])
            )
    return quotes


@pytest.mark.parametrize("kind", [LoopbackKraken, LoopbackOkx])
@pytest.mark.parametrize("fault", [nothing, silence, repeat_and_reorder, too_many_requests, wrong_clock])
async def test_recorded_tickers_reach_redis_and_the_graph(
    kind: type[LoopbackExchange],
    fault: Callable[[LoopbackExchange], Awaitable[None]],
    resources: Resources,
    redis: Redis,
    graph: GraphClient,
) -> None:
    quotes = recorded()
    exchange = kind(*(Instrument(symbol, price_decimals=8) for symbol in quotes))
    expected = [
        {"symbol": s, "price": q.last, "last": q.last, "bid": q.bid, "ask": q.ask, "volume": q.volume}
        for s, q in sorted(quotes.items())
    ]

    async def in_graph() -> object:
        return (await graph.as_(principal(TRADER)).data(TICKERS, exchange=exchange.id))["tickers"]

    await add(resources.database, models.CatExchange, {"cat_ex_id": 1, "name": exchange.id})
    rows = [{"cat_ex_id": 1, "symbol": symbol, "base": symbol.split("/")[0]} for symbol in quotes]
    await add(resources.database, models.Symbol, *rows)
    async with exchange.running():
        resources.settings.market_feed, resources.settings.exchange_urls = PATH, exchange.urls
        daemon = TickerDaemon(resources)
        await daemon.start()
        try:
            await until_subscribed(exchange, *(("ticker", symbol) for symbol in quotes))
            await fault(exchange)
            for symbol, quote in quotes.items():
                await exchange.tick(symbol, quote)
            exchange.faults.silent = exchange.faults.reorder = False
            await eventually_equal(in_graph, expected)
        finally:
            await daemon.stop()
    stored = await redis.hgetall(keys.tickers(exchange.id))
    assert {symbol: json.loads(text)["price"] for symbol, text in stored.items()} == {
        symbol: quote.last for symbol, quote in quotes.items()
    }
