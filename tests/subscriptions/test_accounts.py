"""Live balances and positions as subscribers receive them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import accounts, keys, tickers
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from tests.conftest import Count
from tests.fixtures.graph import ANONYMOUS, Answer, GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER

BALANCES = "subscription ($exId: Int! = 20) { balances(exId: $exId) { exId currency total } }"
POSITIONS = """subscription ($exId: Int! = 20, $rate: Float) {
  positions(exId: $exId, maxRate: $rate) { symbol side volume marketPrice unrealizedPnl } }"""


@pytest.fixture(autouse=True)
def _impatient(settings: Settings) -> None:
    settings.stream_poll_interval = 0.05


@pytest.fixture
def trader(_impatient: None, graph: GraphClient, platform: Database) -> GraphClient:
    return graph.as_(principal(TRADER))


async def hold(redis: Redis, ex_id: int, total: float) -> None:
    await accounts.write(redis, {ex_id: [Balance(ex_id, "USD", total, total, 0)]}, {})


async def next_of(stream: AsyncIterator[Answer]) -> Any:
    async with asyncio.timeout(30):
        answer = await anext(stream)
    assert not answer.errors, answer.errors
    [value] = answer.data.values()
    return value


async def test_owner_receives_all_balances_then_each_change(trader: GraphClient, redis: Redis) -> None:
    await hold(redis, 20, 5)
    async with aclosing(trader.stream(BALANCES)) as stream:
        assert await next_of(stream) == [{"exId": 20, "currency": "USD", "total": 5}]
        await hold(redis, 21, 9)
        await hold(redis, 20, 6)
        assert await next_of(stream) == [{"exId": 20, "currency": "USD", "total": 6}]


async def test_account_without_data_has_no_balances(trader: GraphClient, redis: Redis) -> None:
    async with aclosing(trader.stream(BALANCES)) as stream:
        assert await next_of(stream) == []


async def test_write_without_a_notice_is_found_by_polling(trader: GraphClient, redis: Redis) -> None:
    async with aclosing(trader.stream(POSITIONS)) as stream:
        assert await next_of(stream) == []
        position = {"BTC/USD": {"cost": 200, "volume": -2, "fee": 0, "count": 1, "price": 100, "timestamp": 1.0}}
        await redis.hset(keys.POSITIONS, "20", json.dumps(position | {"timestamp": "2024-01-01T00:00:00+00:00"}))
        [short] = await next_of(stream)
        assert (short["side"], short["volume"], short["marketPrice"]) == ("short", -2, None)


async def test_positions_are_valued_at_the_price_of_the_event(trader: GraphClient, redis: Redis) -> None:
    for price in (110.0, 120.0):
        await tickers.write(redis, [Ticker("kraken", "BTC/USD", price, price)])
        await accounts.write(redis, {}, {20: [Position(20, "BTC/USD", volume=price, cost=1, price=100)]})
        async with aclosing(trader.stream(POSITIONS)) as stream:
            [position] = await next_of(stream)
            assert position["marketPrice"] == price
            assert position["unrealizedPnl"] == (price - 100) * price


async def test_many_streams_read_redis_as_often_as_one(trader: GraphClient, redis: Redis, redis_calls: Count) -> None:
    streams = [trader.stream(BALANCES) for _ in range(20)]
    for stream in streams:
        await next_of(stream)
    with redis_calls() as calls:
        await hold(redis, 20, 7)
        for stream in streams:
            assert [balance["total"] for balance in await next_of(stream)] == [7]
    assert len(calls) < 10
    for stream in streams:
        await stream.aclose()


@pytest.mark.parametrize("query", [BALANCES, POSITIONS])
@pytest.mark.parametrize("ex_id", [30, 999])
async def test_account_of_another_user_is_not_found(trader: GraphClient, redis: Redis, query: str, ex_id: int) -> None:
    await hold(redis, 30, 5)
    async with aclosing(trader.stream(query, exId=ex_id)) as stream:
        assert (await anext(stream)).codes == ["NOT_FOUND"]


async def test_administrator_receives_every_account(trader: GraphClient, redis: Redis) -> None:
    await hold(redis, 30, 5)
    for caller in (principal(ADMIN, admin=True), principal(OTHER)):
        async with aclosing(trader.as_(caller).stream(BALANCES, exId=30)) as stream:
            assert await next_of(stream) == [{"exId": 30, "currency": "USD", "total": 5}]


async def test_anonymous_caller_and_invalid_rate_are_refused(trader: GraphClient) -> None:
    async with aclosing(trader.as_(ANONYMOUS).stream(BALANCES)) as stream:
        assert (await anext(stream)).codes == ["UNAUTHENTICATED"]
    async with aclosing(trader.stream(POSITIONS, rate=0)) as stream:
        assert (await anext(stream)).codes == ["BAD_USER_INPUT"]
