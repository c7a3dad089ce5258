"""Live state of the platform's programs over REST: access rules, and reading without consuming."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

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
        "processing_rate": None, "health_status": None, "last_processed": None,
        "queues": [{"queue_name": "new_orders:1", "size": 2}, {"queue_name": "new_orders:2", "size": 1}],
    }  # fmt: skip
    everybodys = await (await rest.as_(ADMIN)).get("cache/orders/queue/status")
    assert (everybodys["size"], len(everybodys["queues"])) == (6, 5)
    assert await redis.llen(keys.new_orders("1")) == 2


async def test_queue_status_is_empty_without_queues(rest: Rest) -> None:
    trader = await rest.as_(TRADER)
    assert await trader.get("cache/orders/queue/status") == {
        "queue_name": "new_orders", "size": 0, "queues": [],
        "processing_rate": None, "health_status": "healthy", "last_processed": None,
    }  # fmt: skip


async def test_queue_figures_are_of_own_orders(rest: Rest, redis: Redis) -> None:
    trader, admin, path = await rest.as_(TRADER), await rest.as_(ADMIN), "cache/orders/queue/status"
    await redis.rpush(keys.new_orders("1"), "A")
    await redis.rpush(keys.new_orders("41"), "B")
    for client in (trader, admin):
        assert (await client.get(path))["last_processed"] is None
    await redis.delete(keys.new_orders("41"))
    assert (await trader.get(path))["last_processed"] is None
    assert (await admin.get(path))["last_processed"] is not None
    await redis.lpop(keys.new_orders("1"))
    status = await trader.get(path)
    assert (status["size"], status["health_status"]) == (0, "healthy")
    assert datetime.now(UTC) - datetime.fromisoformat(status["last_processed"]) < timedelta(minutes=1)


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


async def test_dash_means_a_slash_if_there_is_no_such_symbol(rest: Rest, redis: Redis) -> None:
    trader = await rest.as_(TRADER)
    await redis.hset(keys.BLOCKED_EXCHANGES, mapping={"20:BTC/USD": "1"})
    blocked = await trader.get("cache/bots/kraken/BTC-USD/blocked")
    assert (blocked["symbol"], blocked["is_blocked"], blocked["blocked_by"]) == ("BTC/USD", True, [1])
    await redis.rpush(keys.trades("kraken", "BTC/USD"), '{"price": 1}')
    queue = await trader.get("cache/trades/kraken/BTC-USD")
    assert (queue["symbol"], queue["size"]) == ("BTC/USD", 1)
    await redis.rpush(keys.ohlcv("BTC/USD", "1m"), "[1767225600,2,3,4,5,6]")
    assert (await trader.get("cache/ohlcv/BTC-USD/1m"))["symbol"] == "BTC/USD"
    assert (await trader.get("cache/ohlcv/BTC-USD/timeframes"))["timeframes"] == ["1m"]
    await redis.rpush(keys.ohlcv("BTC-USD", "1h"), "[1,1,1,1,1,1]")
    assert (await trader.get("cache/ohlcv/BTC-USD/timeframes"))["timeframes"] == ["1h"]
    assert (await trader.get("cache/ohlcv/BTC-USD/1h"))["count"] == 1
    assert (await trader.get("cache/trades/bitmex/BTC-USD:BTC"))["symbol"] == "BTC/USD:BTC"


@pytest.mark.parametrize(
    "path", ["trades/queue/other", "trades/kraken/NO-NE", "ohlcv/NONE/1m", "ohlcv/NONE/timeframes",
             "bots/kraken/NONE/blocked", "bots/mtgox/GOLD/blocked", "tickers/kraken/NO-NE", "trades/0/status"]
)  # fmt: skip
async def test_unknown_instrument_is_not_found(rest: Rest, path: str) -> None:
    assert await (await rest.as_(TRADER)).refused(f"cache/{path}") == (404, "NOT_FOUND")


async def test_trade_queues_of_all_instruments_have_measured_figures(rest: Rest, redis: Redis) -> None:
    trader = await rest.as_(TRADER)
    nothing = {"processing_rate": None, "health_status": "healthy", "last_processed": None}
    assert await trader.get("cache/trades/queue/status") == {"queue_name": "trades", "size": 0, "queues": []} | nothing
    await redis.rpush(keys.trades("kraken", "BTC/USD"), "1", "2", "3")
    await redis.rpush(keys.trades("bitmex", "X/Y:Z"), "4")
    await redis.rpush("user_trades:2:kraken", "5")
    await redis.set(keys.trades_status("kraken"), TIME)
    queues = [
        {"queue_name": "trades:bitmex:XY:Z", "exchange": "bitmex", "symbol": "XY:Z", "size": 1, "last_pushed": None},
        {
            "queue_name": "trades:kraken:BTCUSD",
            "exchange": "kraken",
            "symbol": "BTC/USD",
            "size": 3,
            "last_pushed": TIME,
        },
    ]
    assert await trader.get("cache/trades/queue") == queues
    assert await trader.get("cache/trades/queue", limit=1, offset=1) == queues[1:]
    assert await trader.get("cache/trades/queue/size") == {"queue_name": "trades", "size": 4}
    await redis.delete(keys.trades("kraken", "BTC/USD"))
    await trader.get("cache/trades/kraken/BTC/USD")
    metrics = await trader.get("cache/trades/performance/metrics")
    assert (metrics["queue_name"], metrics["size"], metrics["health_status"]) == ("trades", 1, "healthy")
    assert metrics["last_processed"] is not None
    assert metrics["reads"] == metrics["hits"] + metrics["misses"] > 0
    assert metrics["latency_ms"] > 0


async def test_trade_is_stored_or_queued(rest: Rest, redis: Redis) -> None:
    trader = await rest.as_(TRADER)
    stored = await trader.get("cache/trades/8/status")
    assert (stored["trade_id"], stored["ex_trade_id"], stored["exchange"], stored["status"]) == (
        8, "T8", "kraken", "stored"
    )  # fmt: skip
    assert await trader.get("cache/trades/T8/status") == stored
    await redis.rpush("user_trades:2:kraken", '{"ex_trade_id": "T99", "symbol": "GOLD"}', "broken")
    await redis.rpush("user_trades:3:kraken", '{"ex_trade_id": "T100", "symbol": "GOLD"}')
    assert await trader.get("cache/trades/T99/status") == {
        "trade_id": None, "ex_trade_id": "T99", "exchange": "kraken", "symbol": "GOLD", "status": "queued", "time": None
    }  # fmt: skip
    assert await trader.refused("cache/trades/T100/status") == (404, "NOT_FOUND")
    assert await trader.refused("cache/trades/101/status") == (404, "NOT_FOUND")


async def test_cached_bars_have_age_size_and_reads(rest: Rest, redis: Redis) -> None:
    trader = await rest.as_(TRADER)
    assert await trader.get("cache/ohlcv/cache/status") == {"count": 0, "size": 0, "lists": []}
    await redis.rpush(keys.ohlcv("BTC/USD", "1h"), "[1767222000,2,3,4,5,6]", "[1767225600,2,3,4,5,6]")
    await redis.rpush(keys.ohlcv("A:B", "1m"), "[1767225600000,2,3,4,5,6]")
    await redis.rpush("ohlcv:other:list", "1")
    status = await trader.get("cache/ohlcv/cache/status")
    assert (status["count"], status["size"]) == (2, 3)
    assert [(one["symbol"], one["timeframe"], one["size"], one["newest"]) for one in status["lists"]] == [
        ("A:B", "1m", 1, TIME), ("BTC/USD", "1h", 2, TIME)
    ]  # fmt: skip
    assert all(one["age_seconds"] > 0 for one in status["lists"])
    before = await trader.get("cache/ohlcv/performance/metrics")
    await trader.get("cache/ohlcv/BTC/USD/1h")
    await trader.get("cache/ohlcv/BTC/USD/1m")
    after = await trader.get("cache/ohlcv/performance/metrics")
    assert [after[name] - before[name] for name in ("reads", "hits", "misses")] == [2, 1, 1]
    assert after["latency_ms"] > 0


async def test_coordination_lists_claims_on_own_accounts(rest: Rest, redis: Redis) -> None:
    await redis.hset(keys.BLOCKED_EXCHANGES, mapping={"20:BTC/USD": "1", "30:GOLD": "6", "99:X": "7"})
    await redis.hset(keys.OPENING_POSITIONS, mapping={"21:BTC/USD:BTC": f"2:{TIME}"})
    block = {"ex_id": 20, "symbol": "BTC/USD", "bot_id": 1, "since": None, "exchange": "kraken"}
    opening = {"ex_id": 21, "symbol": "BTC/USD:BTC", "bot_id": 2, "since": TIME, "exchange": "bitmex"}
    coordination = await (await rest.as_(TRADER)).get("cache/bots/coordination/status")
    assert coordination == {"blocks": [block], "openings": [opening]}
    everything = await (await rest.as_(ADMIN)).get("cache/bots/coordination/status")
    assert [(one["bot_id"], one["exchange"]) for one in everything["blocks"]] == [
        (1, "kraken"), (6, "kraken"), (7, None)
    ]  # fmt: skip


async def test_process_figures_and_keys_by_family(rest: Rest, redis: Redis) -> None:
    entries = [Process(ProcessType.TICK, "ticker_daemon"), Process(ProcessType.OHLCV, "kraken:BTC/USD")]
    await processes.register(redis, entries)
    await processes.update(redis, entries[:1], ProcessStatus.ERROR)
    admin = await rest.as_(ADMIN)
    figures = await admin.get("cache/processes/performance")
    assert figures["total_processes"] == 2
    tick = figures["by_type"]["tick"]
    assert (tick["processes"], tick["stale_processes"], tick["error_processes"]) == (1, 0, 1)
    assert tick["oldest_heartbeat"] == tick["newest_heartbeat"]
    await redis.set("unknown", "1")
    overview = await admin.get("cache/processes/cache/overview")
    assert overview["keys_by_family"]["process"] == 5  # two reports, two types, components
    assert overview["keys_by_family"]["other"] == 1
    assert sum(overview["keys_by_family"].values()) == overview["total_keys"]
    assert overview["is_complete"]
    assert overview["memory"]["used"] > 0


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
    for path in ("status", "health", "performance", "cache/overview"):
        assert await (await rest.as_(TRADER)).refused(f"cache/processes/{path}") == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "path", ["orders/41/status", "orders/41/queue", f"orders/{OTHER}/orders", "bots/6/status", f"bots/{OTHER}/bots"]
)
async def test_live_state_of_foreign_rows_is_not_found(rest: Rest, path: str) -> None:
    assert await (await rest.as_(TRADER)).refused(f"cache/{path}") == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "path",
    [
        "trades/kraken/GOLD",
        "ohlcv/GOLD/1m",
        "bots/kraken/GOLD/blocked",
        "processes/status",
        "orders/queue/size",
        "trades/queue",
        "trades/queue/size",
        "trades/queue/status",
        "trades/performance/metrics",
        "trades/1/status",
        "ohlcv/cache/status",
        "ohlcv/performance/metrics",
        "ohlcv/GOLD/timeframes",
        "bots/coordination/status",
        "processes/performance",
        "processes/cache/overview",
        "kraken/tickers/active",
        "tickers/kraken/active",
    ],
)
async def test_live_state_requires_authentication(rest: Rest, path: str) -> None:
    assert await rest.anonymous.refused(f"cache/{path}") == (401, "UNAUTHENTICATED")
