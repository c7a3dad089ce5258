"""Live candles over real sockets, with streams shared by equal subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from fullon_graphql.cache.candles import announce
from fullon_graphql.database import Database
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.writer import create_candles, upsert_candles
from tests.fixtures.rows import OTHER, TRADER
from tests.fixtures.server import Server
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import Socket, socket

BARS = 3000
START = datetime(2024, 1, 1, tzinfo=UTC)
LIVE = """subscription ($from: DateTime, $last: Int) {
  candles(exchange: "kraken", symbol: "BTC/USD", timeframe: M1, from: $from, last: $last) {
    closed candle { time close } } }"""


def time_of(minute: int) -> str:
    return (START + timedelta(minutes=minute)).isoformat()


async def store(database: Database, redis: Redis, minutes: Sequence[int], price: float | None = None) -> None:
    async with database.transaction() as connection:
        await create_candles(connection, "kraken", "BTC/USD")
        bars = (
            Candle(START + timedelta(minutes=minute), *[minute + 1.0 if price is None else price] * 4, volume=1.0)  # type: ignore[misc]  # four prices
            for minute in minutes
        )
        await upsert_candles(connection, "kraken", "BTC/USD", bars)
    await announce(redis, [("kraken", "BTC/USD")])


async def received_bars(client: Socket, bars: int) -> list[tuple[str, float]]:
    updates: list[Any] = [(await client.next("1"))["candles"] for _ in range(bars)]
    assert all(update["closed"] for update in updates)
    return [(update["candle"]["time"], update["candle"]["close"]) for update in updates]


async def test_every_subscriber_receives_each_bar_once_and_in_order(
    server: Server, sign_in: SignIn, ohlcv_database: Database, redis: Redis
) -> None:
    await store(ohlcv_database, redis, range(BARS))
    stored = [(time_of(minute), minute + 1.0) for minute in range(BARS)]
    async with socket(server) as one, socket(server) as later, socket(server) as elsewhere:
        for client, person in ((one, TRADER), (later, OTHER), (elsewhere, OTHER)):
            await client.sign_in({"authorization": await sign_in(person)})
        await one.subscribe("1", LIVE, last=BARS)
        assert await received_bars(one, BARS) == stored
        await later.subscribe("1", LIVE, last=BARS)
        assert await received_bars(later, BARS) == stored
        await elsewhere.subscribe("1", LIVE, **{"from": time_of(BARS - 3)})
        assert await received_bars(elsewhere, 3) == stored[-3:]
        await store(ohlcv_database, redis, [BARS])
        await store(ohlcv_database, redis, [BARS - 2], price=0.5)
        for client in (one, later, elsewhere):
            assert sorted(await received_bars(client, 2)) == [(time_of(BARS - 2), 0.5), (time_of(BARS), BARS + 1.0)]
