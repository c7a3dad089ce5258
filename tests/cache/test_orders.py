"""Orders as last reported by the exchange daemons."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from redis.asyncio import Redis

from fullon_graphql.cache import keys, orders
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings
from tests.conftest import Count


def report(ex_id: int | str | None, status: str) -> str:
    return json.dumps({"ex_id": ex_id, "status": status, "volume": 1.5, "timestamp": "2026-01-01T12:00:00+00:00"})


async def test_orders_are_found_in_the_places_of_the_account_and_its_exchange(redis: Redis) -> None:
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


async def test_broken_report_is_left_out(redis: Redis) -> None:
    await redis.hset(keys.order_status(20), mapping={"A": "{", "B": "[1]", "C": report(20, "open")})
    [[order]] = await orders.read(redis, [(20, "kraken")])
    assert (order.key, order.volume, order.price) == ("C", 1.5, None)


async def test_many_accounts_need_one_round_trip_that_removes_nothing(redis: Redis, redis_calls: Count) -> None:
    await redis.hset(keys.order_status(20), "A", report(20, "open"))
    await redis.rpush(keys.new_orders("7"), "A", "B")
    with redis_calls() as seen:
        for _ in range(2):
            assert len((await orders.read(redis, [(20, "kraken"), (21, "bitmex"), (30, "kraken")]))[0]) == 1
            assert await orders.read_queues(redis, ["7", "8"]) == [["A", "B"], []]
    assert len(seen) == 4


async def test_orders_and_queues_that_are_not_utf8_affect_no_other(redis: Redis, settings: Settings) -> None:
    await redis.hset(
        keys.order_status(20), mapping={b"\xff": report(20, "?"), "B": b'{"status": "\xff"}', "C": report(20, "open")}
    )
    await redis.rpush(keys.new_orders("7"), b"\xff", "A")
    await redis.rpush(b"new_orders:\xff", "A")
    await redis.set(keys.new_orders("8"), "another type")
    async with connect(settings.redis_url, settings, "tests") as client:
        assert [order.key for order in (await orders.read(client, [(20, "kraken")]))[0]] == ["C"]
        assert await orders.read_queues(client, ["7", "8"]) == [["A"], []]
        assert await orders.read_queue_sizes(client) == {"7": 2}


async def test_write_keeps_the_bot_and_removes_old_finished_orders(redis: Redis) -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    stored = {
        "A": {"status": "open", "bot_id": 7, "reason": "grid"},
        "old": {"status": "Filled", "timestamp": "2026-01-01T10:00:00+00:00"},
        "new": {"status": "filled", "timestamp": "2026-01-01T11:30:00+00:00"},
        "stale": {"status": "open", "timestamp": "2026-01-01T10:00:00+00:00"},
    }
    await redis.hset(keys.order_status(20), mapping={key: json.dumps(order) for key, order in stored.items()})
    reports = {"A": {"status": "partially_filled", "final_volume": 0.5, "price": None}}
    await orders.write(redis, 20, reports, {"filled"}, now)
    found = {key: json.loads(text) for key, text in (await redis.hgetall(keys.order_status(20))).items()}
    assert set(found) == {"A", "new", "stale"}
    assert found["A"] == {
        "status": "partially_filled", "bot_id": 7, "reason": "grid", "final_volume": 0.5, "order_id": "A",
        "ex_order_id": "A", "timestamp": now.isoformat(),
    }  # fmt: skip
