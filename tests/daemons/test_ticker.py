"""The ticker daemon: every symbol, newest first and last, in the platform's layout."""

from __future__ import annotations

import asyncio
import json

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.daemons.daemon import NotInChargeError, Resources
from fullon_graphql.daemons.feeds.market_feed import FeedEndedError
from fullon_graphql.daemons.loading import LoadingError
from fullon_graphql.daemons.ticker import TickerDaemon
from fullon_graphql.observability.redaction import reason
from tests.daemons.conftest import eventually
from tests.daemons.specimens import Script

pytestmark = pytest.mark.usefixtures("market")

NEWEST = [
    Ticker("kraken", "BTC/USD", price=64000.0, time=3.0),
    Ticker("kraken", "GOLD", price=2350.0, time=3.0),
    Ticker("bitmex", "BTC/USD:BTC", price=64010.0, time=3.0),
]


async def stored(redis: Redis) -> list[Ticker]:
    return [*await tickers.read(redis, "kraken"), *await tickers.read(redis, "bitmex")]


async def test_the_newest_ticker_of_every_symbol_is_stored(resources: Resources, redis: Redis) -> None:
    Script.ticks = [Ticker("kraken", "BTC/USD", price=1.0, time=1.0), *NEWEST]
    daemon = TickerDaemon(resources)
    await daemon.start()

    async def all_there() -> bool:
        return await stored(redis) == NEWEST

    await eventually(all_there)
    await daemon.stop()


async def test_a_feed_faster_than_redis_is_conflated_per_symbol(resources: Resources, redis: Redis) -> None:
    Script.ticks = [Ticker("kraken", "BTC/USD", price=float(n), time=float(n)) for n in range(1, 5000)]
    async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe("ticker_updates:kraken:BTC/USD")
        await pubsub.get_message(timeout=5)
        daemon = TickerDaemon(resources)
        await daemon.start()
        prices: list[float] = []
        while not prices or prices[-1] != 4999:
            if message := await pubsub.get_message(timeout=5):
                prices.append(json.loads(message["data"])["price"])
        await daemon.stop()
    assert prices == sorted(prices)
    assert len(prices) < 5000


async def test_while_it_runs_the_platform_sees_its_processes(resources: Resources, redis: Redis) -> None:
    daemon = TickerDaemon(resources)
    await daemon.start()
    components = {"ticker_daemon", "kraken:BTC/USD", "kraken:GOLD", "bitmex:BTC/USD:BTC"}

    async def registered() -> bool:
        running = [
            json.loads(await redis.get(keys.process_data(str(process_id))) or "{}")
            for process_id in await redis.hkeys("process:active:tick")
        ]
        return {p["component"] for p in running if p["status"] == "running"} == components

    await eventually(registered)
    assert set(await redis.hkeys("process:components")) == components
    await daemon.stop()
    assert not await redis.hkeys("process:active:tick")
    assert not await redis.hkeys("process:components")


async def test_a_feed_that_ends_breaks_the_daemon_and_the_platform_sees_why(resources: Resources, redis: Redis) -> None:
    Script.ends = True
    daemon = TickerDaemon(resources)
    await daemon.start()
    with pytest.raises(ExceptionGroup) as broken:
        await daemon.wait()
    assert broken.group_contains(FeedEndedError)
    assert reason(broken.value).startswith("FeedEndedError: The market feed of ")
    await daemon.stop()
    [process_id] = [key async for key in redis.scan_iter("process:data:tick:ticker_daemon:*")]
    data = json.loads(await redis.get(process_id) or "")
    assert data["status"] == "error"
    assert data["message"].startswith("FeedEndedError")


async def test_a_daemon_that_is_not_in_charge_any_more_writes_nothing(resources: Resources, redis: Redis) -> None:
    Script.ticks = NEWEST
    stale = Resources(
        resources.settings, resources.database, resources.ohlcv_database, resources.redis, in_charge=lambda: False
    )
    daemon = TickerDaemon(stale)
    await daemon.start()
    with pytest.raises(ExceptionGroup) as broken:
        async with asyncio.timeout(15):
            await daemon.wait()
    assert broken.group_contains(NotInChargeError)
    await daemon.stop()
    assert await stored(redis) == []


async def test_without_a_feed_it_does_not_start(resources: Resources) -> None:
    resources.settings.market_feed = ""
    daemon = TickerDaemon(resources)
    with pytest.raises(LoadingError, match="MARKET_FEED"):
        await daemon.start()
    await daemon.stop()
