"""The client: bounded, named, patient only so long, and always to be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from fullon_graphql.cache.client import connect, recorded_commands
from fullon_graphql.config import Settings


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Redis]:
    hasty = settings.model_copy(update={"redis_max_connections": 4, "redis_timeout": 0.5})
    async with connect(settings.redis_url, hasty, "tests") as client:
        yield client


async def test_answers_are_text(client: Redis) -> None:
    await client.set("greeting", "hello")
    assert await client.get("greeting") == "hello"


async def test_the_client_says_who_it_is(client: Redis) -> None:
    assert await client.client_getname() == "fullon_graphql:tests"


async def test_more_callers_than_connections_wait_for_their_turn(client: Redis) -> None:
    assert await asyncio.gather(*[client.incr("turns") for _ in range(100)])
    assert await client.get("turns") == "100"
    assert sum(c["name"] == "fullon_graphql:tests" for c in await client.client_list()) <= 4


async def test_a_silent_server_is_given_up(client: Redis, redis: Redis) -> None:
    await client.get("warm up")
    await redis.client_pause(1500)
    with pytest.raises(RedisTimeoutError):
        await client.get("anything")
    await redis.client_unpause()


async def test_a_connection_that_was_cut_while_idle_is_dialled_anew(client: Redis, redis: Redis) -> None:
    await client.set("kept", "yes")
    await redis.client_kill_filter(_type="normal", skipme=True)
    assert await client.get("kept") == "yes"


async def test_nobody_there_is_an_error_of_the_connection(settings: Settings) -> None:
    async with connect("redis://127.0.0.1:1/0", settings, "tests") as client:
        with pytest.raises(RedisConnectionError):
            await client.ping()


@pytest.mark.parametrize("url", ["redis://:secret@host:1/2", "rediss://host", "unix:///run/redis.sock?db=3"])
async def test_addresses_of_every_kind_are_understood(settings: Settings, url: str) -> None:
    async with connect(url, settings, "tests") as client:
        assert client.connection_pool.connection_class.__mro__[1].__name__ == "_Heedful"


@pytest.mark.parametrize("steps", range(1, 30))
async def test_whoever_is_cancelled_while_dialling_ends(settings: Settings, steps: int) -> None:
    async with connect(settings.redis_url, settings, "tests") as client:
        dialling: asyncio.Future[bool] = asyncio.ensure_future(client.ping())
        for _ in range(steps):
            await asyncio.sleep(0)
        if dialling.cancel():
            await asyncio.wait([dialling])
            assert dialling.cancelled()


async def test_whoever_is_cancelled_amid_commands_ends(client: Redis) -> None:
    for steps in range(60):  # a command takes fewer steps of the event loop than that

        async def ask_on_and_on() -> None:
            while True:
                await client.get("anything")

        asking = asyncio.create_task(ask_on_and_on())
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        done, _ = await asyncio.wait({asking}, timeout=5)
        assert done, f"the cancellation after {steps} steps was forgotten"


async def test_who_listens_hears_commands_with_their_keys_and_never_a_value(client: Redis) -> None:
    heard: list[str] = []
    with recorded_commands(heard):
        await client.set("key", "a value")
        async with client.pipeline(transaction=False) as pipe:
            pipe.hget("hash", "field")
            pipe.get("other")
            await pipe.execute()
    await client.get("later")
    assert heard == ["SET key", "HGET hash", "GET other"]


async def test_who_listens_does_not_hear_the_password(settings: Settings) -> None:
    heard: list[str] = []
    address = settings.redis_url + ("&" if "?" in settings.redis_url else "?") + "password=hidden"
    async with connect(address, settings, "tests") as client:
        with recorded_commands(heard), pytest.raises(RedisConnectionError):  # nobody has set one on the server
            await client.get("key")
    assert "hidden" not in str(heard)
