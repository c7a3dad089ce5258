"""The candle daemon."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from sqlalchemy import text

from fullon_graphql.cache import keys
from fullon_graphql.daemons import ohlcv
from fullon_graphql.daemons.control.lease import LeaseLostError
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.daemons.feeds.market_feed import MarketTrade
from fullon_graphql.daemons.ohlcv import OhlcvDaemon
from fullon_graphql.database import Database
from tests.daemons.specimens import Script
from tests.fixtures.eventually import eventually

pytestmark = pytest.mark.usefixtures("market", "_short_pause", "_any_time")

START = 1_718_000_040.0  # a whole minute


class Clock:
    now = START - 30

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def _short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ohlcv, "PAUSE", 0.02)


@pytest.fixture
def _any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts deliver the trades of several minutes at once."""
    monkeypatch.setattr(ohlcv, "ticker_max_ahead", lambda _redis: 3600.0)


def trade(seconds: float, price: float, symbol: str = "BTC/USD", exchange: str = "kraken") -> MarketTrade:
    return MarketTrade(exchange, symbol, price, 1.0, "buy", START + seconds)


async def feed_is_finished() -> bool:
    return Script.finished == {"kraken", "bitmex"}


async def candles(database: Database, table: str) -> list[tuple[float, ...]]:
    rows = await database.rows(
        text(f"SELECT extract(epoch FROM timestamp)::float8, open, high, low, close, vol FROM {table} ORDER BY 1")
    )
    return [tuple(row) for row in rows]


async def test_trades_without_price_and_of_the_future_are_left_out(
    resources: Resources, ohlcv_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ohlcv, "ticker_max_ahead", lambda _redis: 60.0)
    Script.deals = [
        trade(9 * 3600, 99),
        trade(-20, 5),
        trade(1, 10),
        trade(2, 0),
        trade(3, float("nan")),
        trade(4, 11),
        trade(31, 99),
    ]
    clock = Clock()
    daemon = OhlcvDaemon(resources, clock)
    await daemon.start()
    await eventually(feed_is_finished)
    clock.now = START + 60 + ohlcv.GRACE

    async def stored() -> bool:
        return len(await candles(ohlcv_database, "kraken.btc_usd_candles1m")) == 1

    await eventually(stored)
    await daemon.stop()
    assert await candles(ohlcv_database, "kraken.btc_usd_candles1m") == [(START, 10, 11, 10, 11, 2)]


async def test_complete_minutes_are_stored_without_the_first_partial_one(
    resources: Resources, ohlcv_database: Database
) -> None:
    Script.deals = [trade(-20, 5), trade(1, 10), trade(30, 12), trade(59, 11), trade(61, 20), trade(125, 30)]
    Script.deals += [trade(-1, 1, "BTC/USD:BTC", "bitmex"), trade(5, 7, "BTC/USD:BTC", "bitmex")]
    clock = Clock()
    daemon = OhlcvDaemon(resources, clock)
    await daemon.start()
    await eventually(feed_is_finished)

    async def stored(count: int) -> bool:
        bars = await candles(ohlcv_database, "kraken.btc_usd_candles1m")
        assert len(bars) <= count, "a minute was stored before its grace period had passed"
        return len(bars) == count

    clock.now = START + 120 + ohlcv.GRACE - 0.1
    await eventually(lambda: stored(1))
    clock.now = START + 120 + ohlcv.GRACE
    await eventually(lambda: stored(2))
    await daemon.stop()
    assert await candles(ohlcv_database, "kraken.btc_usd_candles1m") == [
        (START, 10, 12, 10, 11, 3),
        (START + 60, 20, 20, 20, 20, 1),
    ]
    assert await candles(ohlcv_database, "bitmex.btc_usd_btc_candles1m") == [(START, 7, 7, 7, 7, 1)]


async def test_symbols_with_tickers_only_have_no_table(resources: Resources, ohlcv_database: Database) -> None:
    daemon = OhlcvDaemon(resources)
    await daemon.start()
    await daemon.stop()
    tables = await ohlcv_database.rows(text("SELECT tablename FROM pg_tables WHERE schemaname IN ('kraken', 'bitmex')"))
    assert {row.tablename for row in tables} == {"btc_usd_candles1m", "btc_usd_btc_candles1m"}


async def test_daemon_suspended_beyond_its_lease_stores_nothing(resources: Resources, ohlcv_database: Database) -> None:
    Script.deals = [trade(-20, 5), trade(1, 10)]
    clock = Clock()
    stale = Resources(
        resources.settings,
        resources.database,
        resources.ohlcv_database,
        resources.redis,
        holds_lease=lambda: clock.now < START,
    )
    daemon = OhlcvDaemon(stale, clock)
    await daemon.start()
    await eventually(feed_is_finished)
    clock.now = START + 90
    with pytest.raises(ExceptionGroup) as failure:
        async with asyncio.timeout(15):
            await daemon.wait()
    assert failure.group_contains(LeaseLostError)
    await daemon.stop()
    assert await candles(ohlcv_database, "kraken.btc_usd_candles1m") == []


async def test_end_of_every_minute_is_published_even_without_trades(
    resources: Resources, redis: Redis, ohlcv_database: Database
) -> None:
    Script.deals = [trade(-20, 5), trade(1, 10)]
    clock = Clock()
    daemon = OhlcvDaemon(resources, clock)
    channel = keys.candle_writes("kraken", "BTC/USD")
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(channel)
        assert await pubsub.get_message(timeout=15), "subscribed"
        await daemon.start()
        await eventually(feed_is_finished)
        for minute in (1, 2):
            clock.now = START + minute * 60 + ohlcv.GRACE
            message = await message_about(pubsub, START + minute * 60)
            assert message["channel"] == channel
        assert await candles(ohlcv_database, "kraken.btc_usd_candles1m") == [(START, 10, 10, 10, 10, 1)]
        await daemon.stop()


async def message_about(pubsub: PubSub, complete_until: float) -> dict[str, str]:
    """The message about this time, after those about earlier minutes."""
    async with asyncio.timeout(15):
        while True:
            message: dict[str, str] | None = await pubsub.get_message(timeout=15)
            if message and int(message["data"]) == complete_until * 1000:
                return message
