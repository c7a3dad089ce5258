"""Balances and positions."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import accounts
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings

NOW = datetime(2024, 6, 10, 12, 30, tzinfo=UTC)
DOLLARS = Balance(1, "USD", total=100.0, free=60.0, used=40.0, updated_at=NOW)
LONG = Position(1, "BTC/USD", volume=0.5, cost=32000.0, price=64000.0, fee=3.2, count=2.0, timestamp=NOW)
SHORT = Position(2, "BTC/USD:BTC", volume=-0.5, cost=32000.0, price=64000.0, timestamp=NOW)

Count = Callable[[], AbstractContextManager[list[str]]]


async def test_accounts_are_stored_in_the_platforms_layout(redis: Redis) -> None:
    await accounts.write(redis, {1: [DOLLARS]}, {1: [LONG]}, NOW)
    assert json.loads(await redis.hget("accounts", "1") or "") == {
        "USD": {"total": 100.0, "free": 60.0, "used": 40.0},
        "date": "2024-06-10T12:30:00+00:00",
    }
    assert json.loads(await redis.hget("account_positions", "1") or "") == {
        "BTC/USD": {
            "cost": 32000.0,
            "volume": 0.5,
            "fee": 3.2,
            "count": 2.0,
            "price": 64000.0,
            "timestamp": NOW.timestamp(),
        },
        "timestamp": "2024-06-10T12:30:00+00:00",
    }


async def test_written_accounts_are_read_unchanged(redis: Redis) -> None:
    await accounts.write(redis, {1: [DOLLARS], 2: []}, {1: [LONG], 2: [SHORT]}, NOW)
    assert await accounts.read_balances(redis, [1, 2, 3]) == {1: [DOLLARS], 2: [], 3: []}
    assert await accounts.read_positions(redis, [2, 1, 3]) == {1: [LONG], 2: [SHORT], 3: []}


async def test_many_accounts_need_one_round_trip(redis: Redis, redis_calls: Count) -> None:
    with redis_calls() as calls:
        await accounts.write(redis, {1: [DOLLARS], 2: []}, {1: [LONG], 2: [SHORT]}, NOW)
        await accounts.read_balances(redis, [1, 2])
        await accounts.read_positions(redis, [1, 2])
        await accounts.read_positions(redis, [])
    assert len(calls) == 3


async def test_account_without_positions_has_no_field(redis: Redis) -> None:
    await accounts.write(redis, {}, {1: [LONG]}, NOW)
    await accounts.write(redis, {}, {1: []}, NOW)
    assert not await redis.hexists("account_positions", "1")


async def test_broken_accounts_and_entries_are_left_out(redis: Redis) -> None:
    await accounts.write(redis, {1: [DOLLARS]}, {}, NOW)
    await redis.hset(
        "accounts",
        mapping={"2": "{", "3": "[]", "4": '{"USD": 7, "EUR": {"total": "much"}, "CHF": {"total": 5, "free": 5}}'},
    )
    read = await accounts.read_balances(redis, [1, 2, 3, 4])
    assert read == {1: [DOLLARS], 2: [], 3: [], 4: [Balance(4, "CHF", 5.0, 5.0, 0.0)]}


def test_side_of_a_position_is_the_sign_of_its_volume() -> None:
    assert LONG.side == "long"
    assert SHORT.side == "short"
    assert Position(1, "BTC/USD", volume=0.0, cost=0.0, price=0.0).side is None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", '"much"', "[]", "true", '""'])
async def test_currency_and_position_with_a_broken_number_are_left_out(redis: Redis, value: str) -> None:
    balance = '{"total": 5, "free": 5, "used": 0}'
    await redis.hset("accounts", "1", f'{{"USD": {balance}, "EUR": {{"total": {value}, "free": 1}}, "date": 7}}')
    await redis.hset("account_positions", "1", f'{{"A": {{"volume": 1, "cost": {value}}}, "B": {{"volume": 2}}}}')
    [usd] = (await accounts.read_balances(redis, [1]))[1]
    assert (usd.currency, usd.total) == ("USD", 5.0)
    [b] = (await accounts.read_positions(redis, [1]))[1]
    assert (b.symbol, b.volume, b.cost) == ("B", 2.0, 0.0)


async def test_account_that_is_not_utf8_affects_no_other(redis: Redis, settings: Settings) -> None:
    await accounts.write(redis, {1: [DOLLARS]}, {1: [LONG]}, NOW)
    await redis.hset("accounts", "2", b'{"\xff": {"total": 1}}')
    await redis.hset("account_positions", "2", b"\xff")
    async with connect(settings.redis_url, settings, "tests") as client:
        assert await accounts.read_balances(client, [2, 1]) == {2: [], 1: [DOLLARS]}
        assert await accounts.read_positions(client, [2, 1]) == {2: [], 1: [LONG]}


async def test_accounts_in_a_key_of_another_type_are_empty(redis: Redis) -> None:
    await redis.set("accounts", "x")
    assert await accounts.read_balances(redis, [1]) == {1: []}
