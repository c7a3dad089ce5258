"""Live state of the platform's programs over REST: access rules, and reading without consuming."""

from __future__ import annotations

import json

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys, processes
from fullon_graphql.cache.processes import Process, ProcessStatus, ProcessType
from tests.fixtures.rest import Rest
from tests.fixtures.rows import ADMIN, OTHER, TRADER

TIME = "2026-01-01T00:00:00+00:00"


async def test_order_status_is_found_by_either_id(rest: Rest, redis: Redis) -> None:
    trader = await rest.as_(TRADER)
    await redis.hset(keys.order_status(20), "O1", json.dumps({"status": "filled", "volume": 1.5, "timestamp": TIME}))
    await redis.hset(keys.order_status("kraken"), "40", json.dumps({"status": "New", "ex_id": 20}))
    status = await trader.get("cache/orders/1/status")
    assert (status["key"], status["ex_id"], status["status"], status["volume"], status["timestamp"]) == (
        "O1", 20, "filled", 1.5, TIME
    )  # fmt: skip
    assert (await trader.get("cache/orders/40/status"))["status"] == "New"
    assert await trader.refused("cache/orders/2/status") == (404, "NOT_FOUND")
    assert [order["key"] for order in await trader.get(f"cache/orders/{TRADER}/orders")] == ["40", "O1"]


async def test_reading_an_order_queue_does_not_consume_it(rest: Rest, redis: Redis) -> None:
    trader = await rest.as_(TRADER)
    await redis.rpush(keys.new_orders("1"), "A", "B")
    expected = {"queue_name": "new_orders:1", "size": 2, "ex_order_ids": ["A", "B"]}
    assert await trader.get("cache/orders/1/queue") == await trader.get("cache/orders/1/queue") == expected


async def test_queue_sizes_include_own_orders_only(rest: Rest, redis: Redis) -> None:
    for order_id, answers in {"1": ["A", "B"], "2": ["C"], "41": ["D"], "own-name": ["E"], "9" * 18: ["F"]}.items():
        await redis.rpush(keys.new_orders(order_id), *answers)
    trader = await rest.as_(TRADER)
    assert await trader.get("cache/orders/queue/size") == {"queue_name": "new_orders", "size": 3}
    assert await trader.get("cache/orders/queue/status") == {
        "queue_name": "new_orders", "size": 3,
        "queues": [{"queue_name": "new_orders:1", "size": 2}, {"queue_name": "new_orders:2", "size": 1}],
    }  # fmt: skip
    everybodys = await (await rest.as_(ADMIN)).get("cache/orders/queue/status")
    assert (everybodys["size"], len(everybodys["queues"])) == (6, 5)
    assert await redis.llen(keys.new_orders("1")) == 2


async def test_queue_status_is_empty_without_queues(rest: Rest) -> None:
    trader = await rest.as_(TRADER)
    assert await trader.get("cache/orders/queue/status") == {"queue_name": "new_orders", "size": 0, "queues": []}


async def test_bot_status_is_visible_to_the_owner(rest: Rest, redis: Redis) -> None:
    status_by_feed = {"0": {"status": "running", "symbol": "BTC/USD", "timestamp": TIME}}
    await redis.hset(
        keys.BOT_STATUS, mapping={"1": json.dumps(status_by_feed), "2": "{broken", "6": json.dumps(status_by_feed)}
    )
    trader = await rest.as_(TRADER)
    [status] = await trader.get("cache/bots/1/status")
    assert (status["bot_id"], status["feed_num"], status["status"], status["data"]) == (
        1,
        0,
        "running",
        status_by_feed["0"],
    )
    assert await trader.get("cache/bots/2/status") == []
    assert await trader.get(f"cache/bots/{TRADER}/bots") == [status]


async def test_blocked_instrument_names_the_bot(rest: Rest, redis: Redis) -> None:
    await redis.hset(keys.BLOCKED_EXCHANGES, mapping={"20:BTC/USD": "1", "30:GOLD": "6"})
    trader = await rest.as_(TRADER)
    assert await trader.get("cache/bots/kraken/BTC/USD/blocked") == {
        "exchange": "kraken", "symbol": "BTC/USD", "is_blocked": True, "blocked_by": [1]
    }  # fmt: skip
    assert (await trader.get("cache/bots/kraken/GOLD/blocked"))[
        "is_blocked"
    ] is False  # blocked on another user's account


async def test_reading_cached_trades_and_bars_does_not_consume_them(rest: Rest, redis: Redis) -> None:
    trader = await rest.as_(TRADER)
    await redis.rpush(keys.trades("bitmex", "BTC/USD:BTC"), '{"price": 1}', "{broken", '{"price": 2}')
    await redis.set(keys.trades_status("bitmex"), TIME)
    for _ in range(2):
        assert await trader.get("cache/trades/bitmex/BTC/USD:BTC") == {
            "exchange": "bitmex", "symbol": "BTC/USD:BTC", "size": 3, "last_pushed": TIME,
            "trades": [{"price": 1}, {"price": 2}],
        }  # fmt: skip
    await redis.rpush(keys.ohlcv("BTC/USD", "1m"), "[1,2,3,4,5,6]", "[2,2,3,4,5,6]")
    assert await trader.get("cache/ohlcv/BTC/USD/1m", limit=1) == {
        "symbol": "BTC/USD", "timeframe": "1m", "count": 1, "bars": [[2, 2, 3, 4, 5, 6]]
    }  # fmt: skip


async def test_processes_require_admin(rest: Rest, redis: Redis) -> None:
    ticker = Process(ProcessType.TICK, "ticker_daemon", {"a": 1})
    await processes.register(redis, [ticker])
    await processes.update(redis, [ticker], ProcessStatus.RUNNING, "fine")
    admin = await rest.as_(ADMIN)
    [report] = await admin.get("cache/processes/status")
    assert (report["process_id"], report["process_type"], report["status"]) == (ticker.id, "tick", "running")
    assert await admin.get("cache/processes/status", process_type="bot") == []
    assert await admin.get("cache/processes/health") == {
        "healthy": True, "total_processes": 1, "by_type": {"tick": 1}, "by_status": {"running": 1},
        "stale_processes": 0, "error_processes": 0,
    }  # fmt: skip
    for path in ("status", "health"):
        assert await (await rest.as_(TRADER)).refused(f"cache/processes/{path}") == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "path", ["orders/41/status", "orders/41/queue", f"orders/{OTHER}/orders", "bots/6/status", f"bots/{OTHER}/bots"]
)
async def test_live_state_of_foreign_rows_is_not_found(rest: Rest, path: str) -> None:
    assert await (await rest.as_(TRADER)).refused(f"cache/{path}") == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "path", ["trades/kraken/GOLD", "ohlcv/GOLD/1m", "bots/kraken/GOLD/blocked", "processes/status", "orders/queue/size"]
)
async def test_live_state_requires_authentication(rest: Rest, path: str) -> None:
    assert await rest.anonymous.refused(f"cache/{path}") == (401, "UNAUTHENTICATED")
