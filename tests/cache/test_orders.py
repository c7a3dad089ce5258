"""Orders as the exchange daemons last reported them."""

from __future__ import annotations

import json

from redis.asyncio import Redis

from fullon_graphql.cache import keys, orders
from tests.conftest import Count


def report(ex_id: int | str | None, status: str) -> str:
    return json.dumps({"ex_id": ex_id, "status": status, "volume": 1.5, "timestamp": "2026-01-01T12:00:00+00:00"})


async def test_orders_are_found_under_the_account_and_under_the_name_of_its_exchange(redis: Redis) -> None:
    await redis.hset(keys.order_status(20), mapping={"B": report(None, "own"), "C": report(20, "own")})
    await redis.hset(
        keys.order_status("kraken"),
        mapping={
            "A": report("20", "shared"),
            "C": report(20, "older"),
            "D": report(30, "foreign"),
            "E": report(None, "?"),
        },
    )
    own, other = await orders.read(redis, [(20, "kraken"), (30, "kraken")])
    assert [(order.key, order.status) for order in own] == [("A", "shared"), ("B", "own"), ("C", "own")]
    assert [(order.key, order.status, order.ex_id) for order in other] == [("D", "foreign", 30)]


async def test_a_report_that_cannot_be_read_is_left_out(redis: Redis) -> None:
    await redis.hset(keys.order_status(20), mapping={"A": "{", "B": "[1]", "C": report(20, "open")})
    [[order]] = await orders.read(redis, [(20, "kraken")])
    assert (order.key, order.volume, order.price) == ("C", 1.5, None)


async def test_any_number_of_accounts_is_one_round_trip_that_takes_nothing_away(
    redis: Redis, redis_calls: Count
) -> None:
    await redis.hset(keys.order_status(20), "A", report(20, "open"))
    await redis.rpush(keys.new_orders("7"), "A", "B")
    with redis_calls() as seen:
        for _ in range(2):
            assert len((await orders.read(redis, [(20, "kraken"), (21, "bitmex"), (30, "kraken")]))[0]) == 1
            assert await orders.read_queues(redis, ["7", "8"]) == [["A", "B"], []]
    assert len(seen) == 4
