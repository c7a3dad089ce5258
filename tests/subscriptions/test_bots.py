"""The status of bots and processes as subscribers receive it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys, processes
from fullon_graphql.cache.processes import Process, ProcessStatus, ProcessType
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from tests.fixtures.graph import ANONYMOUS, Answer, GraphClient, principal
from tests.fixtures.rows import ADMIN, TRADER

STATUS = "subscription ($botId: Int! = 1) { botStatus(botId: $botId) { botId feedNum status performance } }"
PROCESSES = "subscription { processes { component status } }"


@pytest.fixture(autouse=True)
def _impatient(settings: Settings) -> None:
    settings.stream_poll_interval = 0.05


@pytest.fixture
def trader(_impatient: None, graph: GraphClient, platform: Database) -> GraphClient:
    return graph.as_(principal(TRADER))


async def say(redis: Redis, bot_id: int, status: str) -> None:
    await redis.hset(keys.BOT_STATUS, str(bot_id), json.dumps({"0": {"status": status, "performance": 1.5}}))


async def next_of(stream: AsyncIterator[Answer]) -> Any:
    async with asyncio.timeout(30):
        answer = await anext(stream)
    assert not answer.errors, answer.errors
    [value] = answer.data.values()
    return value


async def test_owner_receives_the_status_of_a_bot(trader: GraphClient, redis: Redis) -> None:
    async with aclosing(trader.stream(STATUS)) as stream:
        assert await next_of(stream) == []
        await say(redis, 6, "foreign")
        await say(redis, 1, "looking")
        assert await next_of(stream) == [{"botId": 1, "feedNum": 0, "status": "looking", "performance": 1.5}]
        await redis.hdel(keys.BOT_STATUS, "1")
        assert await next_of(stream) == []


async def test_unreadable_status_is_left_out(trader: GraphClient, redis: Redis) -> None:
    await redis.hset(keys.BOT_STATUS, "2", "{")
    await say(redis, 1, "looking")
    async with aclosing(trader.stream(STATUS, botId=2)) as corrupt, aclosing(trader.stream(STATUS)) as sound:
        assert await next_of(corrupt) == []
        assert len(await next_of(sound)) == 1


@pytest.mark.parametrize("bot_id", [6, 999])
async def test_bot_of_another_user_is_not_found(trader: GraphClient, redis: Redis, bot_id: int) -> None:
    await say(redis, 6, "foreign")
    async with aclosing(trader.stream(STATUS, botId=bot_id)) as stream:
        assert (await anext(stream)).codes == ["NOT_FOUND"]


async def test_administrator_receives_every_bot(trader: GraphClient, redis: Redis) -> None:
    await say(redis, 6, "foreign")
    async with aclosing(trader.as_(principal(ADMIN, admin=True)).stream(STATUS, botId=6)) as stream:
        assert [status["status"] for status in await next_of(stream)] == ["foreign"]


async def test_administrator_receives_started_and_ended_processes(trader: GraphClient, redis: Redis) -> None:
    process = Process(ProcessType.BOT, "a bot")
    async with aclosing(trader.as_(principal(ADMIN, admin=True)).stream(PROCESSES)) as stream:
        assert await next_of(stream) == []
        await processes.update(redis, [process], ProcessStatus.RUNNING)
        assert await next_of(stream) == [{"component": "a bot", "status": "running"}]
        await processes.stop(redis, [process])
        received = await next_of(stream)
        while received:
            received = await next_of(stream)


async def test_processes_subscription_requires_admin(trader: GraphClient) -> None:
    for caller, code in ((principal(TRADER), "FORBIDDEN"), (ANONYMOUS, "UNAUTHENTICATED")):
        async with aclosing(trader.as_(caller).stream(PROCESSES)) as stream:
            assert (await anext(stream)).codes == [code]
