"""The state of feeds on its way from the exchange's connections into the graph."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from fullon_graphql import models
from fullon_graphql.cache import keys, market_feeds
from fullon_graphql.cache.market_feeds import FeedState, MarketFeedStatus
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.daemons.ticker import TickerDaemon
from tests.daemons.feeds.conftest import PATH
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.loopback.exchange import LoopbackExchange, Quote, until_subscribed
from tests.fixtures.rows import ADMIN, TRADER, add

STATUS = (
    """{ feedStatus { exchange service state connectedSince lastMessageAt lagMs reconnects symbolsMissing error } }"""
)
CHANGES = """subscription { feedStatus(exchange: "kraken") { state reconnects } }"""

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def status(exchange: str, service: str = "ticker", **changes: Any) -> MarketFeedStatus:
    values: dict[str, Any] = {
        "state": FeedState.LIVE, "connected_since": NOW, "last_message_at": None, "lag_ms": 1.5, "reconnects": 0,
        "symbols_missing": [], "error": None, "reported_at": NOW,
    }  # fmt: skip
    return MarketFeedStatus(exchange, service, **values | changes)


async def test_status_follows_the_connections(
    kraken: LoopbackExchange, resources: Resources, graph: GraphClient
) -> None:
    admin = graph.as_(principal(ADMIN, admin=True))

    async def seen(*states: str, missing: Sequence[str] = ("DOGE/USD",)) -> Any:
        found = [one for one in (await admin.data(STATUS))["feedStatus"] if one["exchange"] == "kraken"]
        if not found or found[0]["state"] not in states:
            return None
        return found[0] if "DOWN" in states or found[0]["symbolsMissing"] == list(missing) else None

    await add(
        resources.database,
        models.CatExchange,
        {"cat_ex_id": 1, "name": "kraken"},
        {"cat_ex_id": 2, "name": "yahoo"},
    )
    symbols = [("BTC/USD", 1), ("ETH/BTC", 1), ("DOGE/USD", 1), ("GOLD", 2)]
    rows = [{"cat_ex_id": number, "symbol": symbol, "base": "X"} for symbol, number in symbols]
    await add(resources.database, models.Symbol, *rows)
    resources.settings.market_feed, resources.settings.exchange_urls = PATH, kraken.urls
    daemon = TickerDaemon(resources)
    await daemon.start()
    try:
        await until_subscribed(kraken, ("ticker", "BTC/USD"), ("ticker", "ETH/BTC"))
        live = await eventually(lambda: seen("LIVE", "QUIET"))  # the market is quiet within a second
        assert (live["service"], live["error"]) == ("ticker", None)
        assert live["connectedSince"] <= live["lastMessageAt"]
        assert (await eventually(lambda: seen("QUIET")))["reconnects"] == 0, "the market is quiet, the feed is not dead"

        kraken.faults.refuse_sockets = True
        await kraken.disconnect()
        down = await eventually(lambda: seen("DOWN"))
        assert down["reconnects"] > 0
        assert down["error"]
        trader = await graph.as_(principal(TRADER)).data(STATUS)
        assert {one["error"] for one in trader["feedStatus"]} == {None}

        kraken.faults.refuse_sockets = False
        await until_subscribed(kraken, ("ticker", "BTC/USD"))
        await kraken.tick("BTC/USD", Quote(last=1.0))
        assert (await eventually(lambda: seen("LIVE", "QUIET")))["error"] is None
        [yahoo] = [one for one in (await admin.data(STATUS))["feedStatus"] if one["exchange"] == "yahoo"]
        assert (yahoo["state"], yahoo["symbolsMissing"]) == ("DOWN", ["GOLD"])
        assert "ccxt knows no exchange" in yahoo["error"]
    finally:
        await daemon.stop()
    assert (await admin.data(STATUS))["feedStatus"] == []


async def test_subscribers_receive_each_change_of_their_exchange(graph: GraphClient, redis: Redis) -> None:
    now = datetime.now(UTC)
    await market_feeds.write(redis, [status("okx", reported_at=now), status("kraken", reported_at=now)])
    async with aclosing(graph.as_(principal(TRADER)).stream(CHANGES)) as stream, asyncio.timeout(20):
        assert (await anext(stream)).data == {"feedStatus": [{"state": "LIVE", "reconnects": 0}]}
        await market_feeds.write(redis, [status("kraken", state=FeedState.DOWN, reconnects=1, reported_at=now)])
        assert (await anext(stream)).data == {"feedStatus": [{"state": "DOWN", "reconnects": 1}]}


@pytest.mark.parametrize("document", [STATUS, CHANGES])
async def test_status_requires_a_signed_in_caller(graph: GraphClient, document: str) -> None:
    if document == STATUS:
        assert (await graph.ask(document)).codes == ["UNAUTHENTICATED"]
    else:
        assert (await anext(graph.stream(document))).codes == ["UNAUTHENTICATED"]


async def test_reports_of_dead_processes_and_broken_ones_are_left_out(redis: Redis) -> None:
    fresh, old = status("kraken"), status("okx", reported_at=NOW - timedelta(seconds=market_feeds.EXPIRY))
    await market_feeds.write(redis, [old, fresh])
    for number, text in enumerate(("{", "[]", "{}", '{"reported_at": "yesterday"}', '{"reported_at": 1e300}')):
        await redis.hset(keys.MARKET_FEEDS, f"broken:{number}", text)
    assert await market_feeds.read(redis, NOW) == [fresh]
    await market_feeds.remove(redis, "ticker", ["kraken"])
    assert await market_feeds.read(redis, NOW) == []
