"""Live balances and positions of own accounts over REST."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import accounts
from fullon_graphql.cache.accounts import Balance, Position
from tests.conftest import Count
from tests.fixtures.rest import Rest
from tests.fixtures.rows import ADMIN, OTHER, TRADER

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def _held(redis: Redis) -> None:
    balances = {
        20: [Balance(20, "USD", 9.0, 4.0, 5.0), Balance(20, "BTC", 1.0, 1.0, 0.0)],
        30: [Balance(30, "EUR", 1.0, 1.0, 0.0)],
    }
    await accounts.write(redis, balances, {20: [Position(20, "BTC/USD", -2.0, 6.0, 3.0)]}, NOW)


async def test_balances_and_positions_are_of_own_accounts(rest: Rest) -> None:
    trader = await rest.as_(TRADER)
    balances = await trader.get(f"cache/accounts/{TRADER}/balances")
    assert balances == [
        {"ex_id": 20, "currency": "BTC", "total": 1.0, "free": 1.0, "used": 0.0, "updated_at": NOW.isoformat()},
        {"ex_id": 20, "currency": "USD", "total": 9.0, "free": 4.0, "used": 5.0, "updated_at": NOW.isoformat()},
    ]
    [position] = await trader.get(f"cache/accounts/{TRADER}/positions")
    assert position == {
        "ex_id": 20, "exchange": "kraken", "symbol": "BTC/USD", "side": "short", "volume": -2.0, "cost": 6.0,
        "price": 3.0, "fee": 0.0, "count": 0.0, "timestamp": None,
    }  # fmt: skip
    status = await trader.get(f"cache/accounts/{TRADER}/status")
    assert status == await trader.get("cache/accounts/summary")
    assert [(one["ex_id"], one["exchange"], one["currencies"], one["positions"]) for one in status] == [
        (20, "kraken", 2, 1), (21, "bitmex", 0, 0)
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["balances", "positions", "status"])
async def test_accounts_of_foreign_users_require_admin(rest: Rest, what: str) -> None:
    path = f"cache/accounts/{OTHER}/{what}"
    assert await (await rest.as_(TRADER)).refused(path) == (404, "NOT_FOUND")
    assert await (await rest.as_(ADMIN)).get(path) == await (await rest.as_(OTHER)).get(path)


async def test_many_accounts_cost_one_round_trip(rest: Rest, redis_calls: Count) -> None:
    trader = await rest.as_(TRADER)
    await trader.get("cache/accounts/summary")
    with redis_calls() as seen:
        await trader.get(f"cache/accounts/{TRADER}/balances")
    assert seen == ["HMGET"]
