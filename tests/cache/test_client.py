"""The client: bounded, named, with timeouts, and cancellable at any time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from fullon_graphql.cache.client import connect, recorded_commands
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.config import Settings
from fullon_graphql.errors import RedisCircuitOpen
from tests.fixtures.eventually import eventually
from tests.fixtures.limits import refusals


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Redis]:
    hasty = settings.model_copy(update={"redis_max_connections": 4, "redis_timeout": 0.5})
    async with connect(settings.redis_url, hasty, "tests") as client:
        yield client


async def test_answers_are_text(client: Redis) -> None:
    await client.set("greeting", "hello")
    assert await client.get("greeting") == "hello"


async def test_client_has_a_name(client: Redis) -> None:
    assert await client.client_getname() == "fullon_graphql:tests"


async def test_more_callers_than_connections_wait_for_one(client: Redis) -> None:
    assert await asyncio.gather(*[client.incr("turns") for _ in range(100)])
    assert await client.get("turns") == "100"
    assert sum(c["name"] == "fullon_graphql:tests" for c in await client.client_list()) <= 4


async def test_unresponsive_server_is_a_timeout(client: Redis, redis: Redis) -> None:
    await client.get("warm up")
    await redis.client_pause(1500)
    before = refusals("REDIS_TIMEOUT")
    with pytest.raises(RedisTimeoutError):
        await client.get("anything")
    assert refusals("REDIS_TIMEOUT") == before + 1
    await redis.client_unpause()


async def test_connection_closed_while_idle_is_reconnected(client: Redis, redis: Redis) -> None:
    await client.set("kept", "yes")
    await redis.client_kill_filter(_type="normal", skipme=True)
    assert await client.get("kept") == "yes"


async def test_unreachable_server_is_a_connection_error(settings: Settings) -> None:
    async with connect("redis://127.0.0.1:1/0", settings, "tests") as client:
        with pytest.raises(RedisConnectionError):
            await client.ping()


@pytest.mark.parametrize("url", ["redis://:secret@host:1/2", "rediss://host", "unix:///run/redis.sock?db=3"])
async def test_urls_of_every_kind_are_accepted(settings: Settings, url: str) -> None:
    async with connect(url, settings, "tests") as client:
        assert client.connection_pool.connection_class.__mro__[1].__name__ == "_OwnConnection"


@pytest.mark.parametrize("steps", range(1, 30))
async def test_cancellation_while_connecting_is_not_lost(settings: Settings, steps: int) -> None:
    async with connect(settings.redis_url, settings, "tests") as client:
        connecting: asyncio.Future[bool] = asyncio.ensure_future(client.ping())
        for _ in range(steps):
            await asyncio.sleep(0)
        if connecting.cancel():
            await asyncio.wait([connecting])
            assert connecting.cancelled()


async def test_cancellation_between_commands_is_not_lost(client: Redis) -> None:
    for steps in range(60):  # a command takes fewer steps of the event loop than that

        async def send_commands() -> None:
            while True:
                await client.get("anything")

        sending = asyncio.create_task(send_commands())
        for _ in range(steps):
            await asyncio.sleep(0)
        sending.cancel()
        done, _ = await asyncio.wait({sending}, timeout=5)
        assert done, f"the cancellation after {steps} steps was lost"


async def test_overheard_commands_have_keys_and_no_values(client: Redis) -> None:
    commands: list[str] = []
    with recorded_commands(commands):
        await client.set("key", "a value")
        async with client.pipeline(transaction=False) as pipe:
            pipe.hget("hash", "field")
            pipe.get("other")
            await pipe.execute()
    await client.get("later")
    assert commands == ["SET key", "HGET hash", "GET other"]


async def test_overheard_commands_have_no_password(settings: Settings) -> None:
    commands: list[str] = []
    address = settings.redis_url + ("&" if "?" in settings.redis_url else "?") + "password=hidden"
    async with connect(address, settings, "tests") as client:
        with recorded_commands(commands), pytest.raises(RedisConnectionError):  # the server has none
            await client.get("key")
    assert "hidden" not in str(commands)


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:hidden@127.0.0.1:1/0",
        "rediss://user:hidden@127.0.0.1:1/0",
        "redis+sentinel://user:hidden@127.0.0.1:1/main/0?sentinel_password=hidden",
        "redis+cluster://user:hidden@127.0.0.1:1",
    ],
)
async def test_text_of_a_client_has_no_password(settings: Settings, url: str) -> None:
    async with connect(url, settings, "tests") as client:
        shown = repr(client)
    assert "fullon_graphql:tests" in shown
    assert "hidden" not in shown


async def test_refused_commands_open_the_circuit_each_counted_once(settings: Settings) -> None:
    breaker = CircuitBreaker("redis", threshold=3, seconds=3_600, error=RedisCircuitOpen)
    async with connect("redis://127.0.0.1:1/0", settings, "tests", breaker) as client:
        pipeline = client.pipeline()
        pipeline.get("key")
        for command in (client.ping, pipeline.execute, client.ping):
            assert breaker.state == "closed"
            with pytest.raises(RedisConnectionError):
                await command()
        with pytest.raises(RedisCircuitOpen) as refused:
            await client.ping()
    assert refused.value.extensions == {"code": "SERVICE_UNAVAILABLE", "service": "redis", "retryAfter": 3_600}


async def test_errors_of_redis_and_cancelled_commands_are_no_failures(settings: Settings, redis: Redis) -> None:
    breaker = CircuitBreaker("redis", threshold=2, seconds=3_600)
    await redis.set("text", "x")
    async with connect(settings.redis_url, settings, "tests", breaker) as client:
        breaker.failed(TimeoutError())
        with pytest.raises(ResponseError):
            await client.lpush("text", "y")
        assert breaker.is_clear
        breaker.failed(TimeoutError())
        task = asyncio.ensure_future(client.blpop("absent", 60))

        async def is_blocked() -> bool:
            return bool((await redis.info("clients"))["blocked_clients"])

        await eventually(is_blocked)
        task.cancel()
        await asyncio.wait([task])
        assert (breaker.state, breaker.is_clear) == ("closed", False)


async def test_connections_from_before_an_opening_are_replaced(settings: Settings) -> None:
    breaker = CircuitBreaker("redis", threshold=1, seconds=0.01, error=RedisCircuitOpen)
    async with connect(settings.redis_url, settings, "tests", breaker) as client:
        before = await client.client_id()
        assert await client.client_id() == before
        breaker.failed(TimeoutError())

        async def after() -> int | None:
            try:
                return int(await client.client_id())
            except RedisCircuitOpen:
                return None

        assert await eventually(after) != before
        assert breaker.is_clear


async def test_command_that_waits_for_a_connection_is_refused_once_the_circuit_opens(settings: Settings) -> None:
    breaker = CircuitBreaker("redis", threshold=1, seconds=3_600, error=RedisCircuitOpen)
    few = settings.model_copy(update={"redis_max_connections": 4, "redis_timeout": 15.0})
    async with connect(settings.redis_url, few, "tests", breaker) as client:
        pool: Any = client.connection_pool  # redis-py has annotated it only in part
        busy = [await pool.get_connection() for _ in range(4)]
        waiting = asyncio.ensure_future(client.ping())
        await asyncio.sleep(0)
        breaker.failed(TimeoutError())
        await pool.release(busy.pop())
        with pytest.raises(RedisCircuitOpen):
            await waiting
        for connection in busy:
            await pool.release(connection)
