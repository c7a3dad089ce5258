"""The platform's register of processes."""

from __future__ import annotations

import json

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys, processes
from fullon_graphql.cache.client import connect
from fullon_graphql.cache.processes import Process, ProcessStatus, ProcessType
from fullon_graphql.config import Settings

DAEMON = Process(ProcessType.TICK, "ticker_daemon", {"pid": 7}, started=1718000000.5)
COLLECTOR = Process(ProcessType.TICK, "bitmex:BTC/USD:BTC", {"type": "live_ticker"}, started=1718000000.5)


async def test_registered_process_is_found_by_the_platforms_tools(redis: Redis) -> None:
    await processes.register(redis, [DAEMON], "loading")
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
        "message": "loading",
        "created_at": "2024-06-10T06:13:20.500000+00:00",
    }


async def test_data_of_a_process_expire_a_day_after_its_last_heartbeat(redis: Redis) -> None:
    await processes.register(redis, [DAEMON])
    await redis.persist(f"process:data:{DAEMON.id}")
    await processes.update(redis, [DAEMON], ProcessStatus.RUNNING)
    assert 86_390 < await redis.ttl(f"process:data:{DAEMON.id}") <= 86_400


async def test_stopped_process_is_removed_from_the_register_and_keeps_its_data(redis: Redis) -> None:
    await processes.register(redis, [DAEMON, COLLECTOR])
    await processes.stop(redis, [DAEMON], message="enough")
    assert await redis.hkeys("process:active:tick") == [COLLECTOR.id]
    assert await redis.hkeys("process:components") == [COLLECTOR.component]
    assert json.loads(await redis.get(f"process:data:{DAEMON.id}") or "")["status"] == "stopped"


async def test_stopping_process_keeps_a_component_that_another_one_has_registered(
    redis: Redis,
) -> None:
    candles = Process(ProcessType.OHLCV, COLLECTOR.component)
    await processes.register(redis, [COLLECTOR])
    await processes.register(redis, [candles])
    await processes.stop(redis, [COLLECTOR])
    assert await redis.hget("process:components", COLLECTOR.component) == candles.id


async def test_new_process_replaces_predecessors_of_its_type_and_component_only(redis: Redis) -> None:
    candles = Process(ProcessType.OHLCV, COLLECTOR.component)
    successor = Process(ProcessType.TICK, COLLECTOR.component)
    for process in (DAEMON, COLLECTOR, candles, successor):
        await processes.register(redis, [process])
    assert set(await redis.hkeys("process:active:tick")) == {DAEMON.id, successor.id}
    assert await redis.hkeys("process:active:ohlcv") == [candles.id]


async def test_processes_are_read_newest_first_without_expired_and_broken_ones(redis: Redis) -> None:
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


async def test_process_that_is_not_utf8_affects_no_other(redis: Redis, settings: Settings) -> None:
    await processes.register(redis, [DAEMON])
    now = "2026-01-01T00:00:00+00:00"
    await redis.hset(keys.process_active("tick"), mapping={b"tick:\xff:1": now, "tick:b:1": b"\xff", "tick:c:1": now})
    await redis.set(keys.process_data("tick:c:1"), b'{"message": "\xff"}')
    await redis.set(keys.process_active("bot"), "another type")
    async with connect(settings.redis_url, settings, "tests") as client:
        assert [report.id for report in await processes.read(client)] == [DAEMON.id]
        await processes.register(client, [DAEMON])


@pytest.mark.parametrize(
    "time", ["1795991963000", "1e308", "-5", "NaN", '"yesterday"', "[]", '"0001-01-01T00:00+14:00"']
)
async def test_broken_time_of_a_process_is_unknown(redis: Redis, time: str) -> None:
    await processes.register(redis, [DAEMON])
    await redis.set(keys.process_data(DAEMON.id), f'{{"created_at": {time}, "heartbeat": {time}}}')
    [report] = await processes.read(redis)
    assert report.created_at is None
    assert report.heartbeat.year > 2000
