"""The client: bounded, named, and patient only so long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Redis]:
    hasty = settings.model_copy(update={"redis_max_connections": 4, "redis_timeout": 0.2})
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
    await redis.client_pause(2000)
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
