"""The ticker daemon."""

from __future__ import annotations

import asyncio
import json

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.daemons.control.lease import LeaseLostError
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.daemons.feeds.market_feed import FeedEndedError
from fullon_graphql.daemons.ticker import TickerDaemon
from fullon_graphql.observability.redaction import reason
from tests.daemons.specimens import Script
from tests.fixtures.eventually import eventually

pytestmark = pytest.mark.usefixtures("market")

NEWEST = [
    Ticker("kraken", "BTC/USD", price=64000.0, time=3.0),
    Ticker("kraken", "GOLD", price=2350.0, time=3.0),
    Ticker("bitmex", "BTC/USD:BTC", price=64010.0, time=3.0),
]


async def stored(redis: Redis) -> list[Ticker]:
    return [*await tickers.read(redis, "kraken"), *await tickers.read(redis, "bitmex")]


async def test_newest_ticker_of_every_symbol_is_stored(resources: Resources, redis: Redis) -> None:
    Script.ticks = [Ticker("kraken", "BTC/USD", price=1.0, time=1.0), *NEWEST]
    daemon = TickerDaemon(resources)
    await daemon.start()

    async def complete() -> bool:
        return await stored(redis) == NEWEST

    await eventually(complete)
    await daemon.stop()


async def test_feed_faster_than_redis_is_conflated_per_symbol(resources: Resources, redis: Redis) -> None:
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


async def test_ticker_daemon_registers_its_processes_while_it_runs(resources: Resources, redis: Redis) -> None:
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


async def test_ended_feed_fails_the_daemon_and_its_process_shows_the_reason(resources: Resources, redis: Redis) -> None:
    Script.ends = True
    daemon = TickerDaemon(resources)
    await daemon.start()
    with pytest.raises(ExceptionGroup) as failure:
        await daemon.wait()
    assert failure.group_contains(FeedEndedError)
    assert reason(failure.value).startswith("FeedEndedError: The market feed of ")
    await daemon.stop()
    [process_id] = [key async for key in redis.scan_iter("process:data:tick:ticker_daemon:*")]
    data = json.loads(await redis.get(process_id) or "")
    assert data["status"] == "error"
    assert data["message"].startswith("FeedEndedError")


async def test_daemon_without_its_lease_writes_nothing(resources: Resources, redis: Redis) -> None:
    Script.ticks = NEWEST
    stale = Resources(
        resources.settings, resources.database, resources.ohlcv_database, resources.redis, holds_lease=lambda: False
    )
    daemon = TickerDaemon(stale)
    await daemon.start()
    with pytest.raises(ExceptionGroup) as failure:
        async with asyncio.timeout(15):
            await daemon.wait()
    assert failure.group_contains(LeaseLostError)
    await daemon.stop()
    assert await stored(redis) == []


async def test_daemon_without_a_feed_does_not_start(resources: Resources) -> None:
    resources.settings.market_feed = "nowhere.Feed"
    daemon = TickerDaemon(resources)
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        await daemon.start()
    await daemon.stop()
