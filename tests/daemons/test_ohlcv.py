"""The candle daemon: closed minutes only, and each of them whole."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from sqlalchemy import text

from fullon_graphql.cache import keys
from fullon_graphql.daemons import ohlcv
from fullon_graphql.daemons.daemon import NotInChargeError, Resources
from fullon_graphql.daemons.feeds.market_feed import MarketTrade
from fullon_graphql.daemons.ohlcv import OhlcvDaemon
from fullon_graphql.database import Database
from tests.daemons.conftest import eventually
from tests.daemons.specimens import Script

pytestmark = pytest.mark.usefixtures("market", "_impatient")

START = 1_718_000_040.0  # a whole minute


class Clock:
    now = START - 30

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ohlcv, "PAUSE", 0.02)


def deal(seconds: float, price: float, symbol: str = "BTC/USD", exchange: str = "kraken") -> MarketTrade:
    return MarketTrade(exchange, symbol, price, 1.0, "buy", START + seconds)


async def everything_was_said() -> bool:
    return Script.finished == {"kraken", "bitmex"}


async def candles(database: Database, table: str) -> list[tuple[float, ...]]:
    rows = await database.rows(
        text(f"SELECT extract(epoch FROM timestamp)::float8, open, high, low, close, vol FROM {table} ORDER BY 1")
    )
    return [tuple(row) for row in rows]


async def test_minutes_that_are_over_are_stored_and_the_partly_seen_first_one_is_not(
    resources: Resources, ohlcv_database: Database
) -> None:
    Script.deals = [deal(-20, 5), deal(1, 10), deal(30, 12), deal(59, 11), deal(61, 20), deal(125, 30)]
    Script.deals += [deal(-1, 1, "BTC/USD:BTC", "bitmex"), deal(5, 7, "BTC/USD:BTC", "bitmex")]
    clock = Clock()
    daemon = OhlcvDaemon(resources, clock)
    await daemon.start()
    await eventually(everything_was_said)

    async def stored(count: int) -> bool:
        bars = await candles(ohlcv_database, "kraken.btc_usd_candles1m")
        assert len(bars) <= count, "of a minute that may still have late trades"
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


async def test_symbols_with_tickers_only_have_no_candles(resources: Resources, ohlcv_database: Database) -> None:
    daemon = OhlcvDaemon(resources)
    await daemon.start()
    await daemon.stop()
    tables = await ohlcv_database.rows(text("SELECT tablename FROM pg_tables WHERE schemaname IN ('kraken', 'bitmex')"))
    assert {row.tablename for row in tables} == {"btc_usd_candles1m", "btc_usd_btc_candles1m"}


async def test_a_daemon_that_was_frozen_past_its_lease_does_not_overwrite_what_its_successor_stored(
    resources: Resources, ohlcv_database: Database
) -> None:
    Script.deals = [deal(-20, 5), deal(1, 10)]
    clock = Clock()
    stale = Resources(
        resources.settings,
        resources.database,
        resources.ohlcv_database,
        resources.redis,
        in_charge=lambda: clock.now < START,
    )
    daemon = OhlcvDaemon(stale, clock)
    await daemon.start()
    await eventually(everything_was_said)
    clock.now = START + 90
    with pytest.raises(ExceptionGroup) as broken:
        async with asyncio.timeout(15):
            await daemon.wait()
    assert broken.group_contains(NotInChargeError)
    await daemon.stop()
    assert await candles(ohlcv_database, "kraken.btc_usd_candles1m") == []


async def test_listeners_are_told_once_a_minute_until_when_candles_are_stored_even_of_empty_minutes(
    resources: Resources, redis: Redis, ohlcv_database: Database
) -> None:
    Script.deals = [deal(-20, 5), deal(1, 10)]
    clock = Clock()
    daemon = OhlcvDaemon(resources, clock)
    channel = keys.candle_writes("kraken", "BTC/USD")
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(channel)
        assert await pubsub.get_message(timeout=15), "subscribed"
        await daemon.start()
        await eventually(everything_was_said)
        for minute in (1, 2):
            clock.now = START + minute * 60 + ohlcv.GRACE
            message = await told(pubsub, START + minute * 60)
            assert message["channel"] == channel
        assert await candles(ohlcv_database, "kraken.btc_usd_candles1m") == [(START, 10, 10, 10, 10, 1)]
        await daemon.stop()


async def told(pubsub: PubSub, complete_until: float) -> dict[str, str]:
    """The message that says so, past those about earlier minutes."""
    async with asyncio.timeout(15):
        while True:
            message: dict[str, str] | None = await pubsub.get_message(timeout=15)
            if message and int(message["data"]) == complete_until * 1000:
                return message
