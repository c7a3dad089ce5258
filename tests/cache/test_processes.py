"""The register of processes, as the platform's tools read it."""

from __future__ import annotations

import json

from redis.asyncio import Redis

from fullon_graphql.cache import keys, processes
from fullon_graphql.cache.processes import Process, ProcessStatus, ProcessType

DAEMON = Process(ProcessType.TICK, "ticker_daemon", {"pid": 7}, started=1718000000.5)
COLLECTOR = Process(ProcessType.TICK, "bitmex:BTC/USD:BTC", {"type": "live_ticker"}, started=1718000000.5)


async def test_a_registered_process_is_found_the_way_the_platform_looks_for_it(redis: Redis) -> None:
    await processes.register(redis, [DAEMON], "on its way")
    process_id = await redis.hget("process:components", "ticker_daemon")
    assert process_id == "tick:ticker_daemon:1718000000.5"
    assert await redis.hexists("process:active:tick", process_id)
    data = json.loads(await redis.get(f"process:data:{process_id}") or "")
    heartbeat = data.pop("heartbeat")
    assert data.pop("updated_at") == heartbeat == await redis.hget("process:active:tick", process_id)
    assert data == {
        "process_id": process_id,
        "process_type": "tick",
        "component": "ticker_daemon",
        "params": {"pid": 7},
        "status": "starting",
        "message": "on its way",
        "created_at": "2024-06-10T06:13:20.500000+00:00",
    }


async def test_the_data_of_a_process_outlive_its_last_heartbeat_by_a_day(redis: Redis) -> None:
    await processes.register(redis, [DAEMON])
    await redis.persist(f"process:data:{DAEMON.id}")
    await processes.update(redis, [DAEMON], ProcessStatus.RUNNING)
    assert 86_390 < await redis.ttl(f"process:data:{DAEMON.id}") <= 86_400


async def test_a_stopped_process_leaves_the_register_but_not_its_data(redis: Redis) -> None:
    await processes.register(redis, [DAEMON, COLLECTOR])
    await processes.stop(redis, [DAEMON], message="enough")
    assert await redis.hkeys("process:active:tick") == [COLLECTOR.id]
    assert await redis.hkeys("process:components") == [COLLECTOR.component]
    assert json.loads(await redis.get(f"process:data:{DAEMON.id}") or "")["status"] == "stopped"


async def test_a_process_that_stops_does_not_take_away_a_component_that_another_has_registered_since(
    redis: Redis,
) -> None:
    candles = Process(ProcessType.OHLCV, COLLECTOR.component)
    await processes.register(redis, [COLLECTOR])
    await processes.register(redis, [candles])
    await processes.stop(redis, [COLLECTOR])
    assert await redis.hget("process:components", COLLECTOR.component) == candles.id


async def test_a_new_process_takes_the_place_of_a_dead_one_of_its_kind_and_of_no_other(redis: Redis) -> None:
    candles = Process(ProcessType.OHLCV, COLLECTOR.component)
    successor = Process(ProcessType.TICK, COLLECTOR.component)
    for process in (DAEMON, COLLECTOR, candles, successor):
        await processes.register(redis, [process])
    assert set(await redis.hkeys("process:active:tick")) == {DAEMON.id, successor.id}
    assert await redis.hkeys("process:active:ohlcv") == [candles.id]


async def test_processes_are_read_newest_first_without_those_that_are_forgotten(redis: Redis) -> None:
    old = Process(ProcessType.TICK, "kraken:BTC/USD", {"type": "live_ticker"}, started=1.5)
    new = Process(ProcessType.OHLCV, "ohlcv_daemon", started=2.5)
    await processes.register(redis, [old])
    await processes.update(redis, [new], ProcessStatus.RUNNING, "all well")
    await redis.hset(keys.process_active("tick"), "tick:gone:3.5", "2026-01-01T00:00:00+00:00")
    await redis.hset(keys.process_active("tick"), "tick:odd:4.5", "2026-01-01T00:00:00+00:00")
    await redis.set(keys.process_data("tick:odd:4.5"), "{")
    first, second = await processes.read(redis)
    assert (first.id, first.component, first.status, first.message) == (new.id, "ohlcv_daemon", "running", "all well")
    assert (second.type, second.component, second.params) == (
        ProcessType.TICK,
        "kraken:BTC/USD",
        {"type": "live_ticker"},
    )
    assert [report.id for report in await processes.read(redis, [ProcessType.OHLCV])] == [new.id]
