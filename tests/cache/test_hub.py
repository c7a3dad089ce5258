"""One subscriber connection for all who listen: it may break at any moment, while they come and go."""

from __future__ import annotations

import asyncio
from random import Random

from redis.asyncio import Redis

from fullon_graphql.cache.client import connect
from fullon_graphql.cache.hub import Hub, Topic
from fullon_graphql.config import Settings


async def come_and_go(hub: Hub, topic: Topic, until: asyncio.Task[None]) -> None:
    while not until.done():
        async with hub.listen([topic]) as mailbox:
            assert (await mailbox.news()).reset


async def break_connections(redis: Redis) -> None:
    """Break the hub's connection again and again, as it is made and as it is used."""
    random = Random(1)
    for _ in range(60):
        await redis.client_kill_filter(_type="pubsub")
        await asyncio.sleep(random.uniform(0, 0.05))


async def test_whoever_listens_while_the_connection_breaks_is_heard_by_the_next_one(
    settings: Settings, redis: Redis
) -> None:
    async with (
        asyncio.timeout(60),
        connect(settings.redis_url, settings, "tests") as client,
        Hub(client, 15) as hub,
    ):
        async with asyncio.TaskGroup() as group:
            breaking = group.create_task(break_connections(redis))
            for number in range(8):
                group.create_task(come_and_go(hub, Topic(f"tests:{number}"), breaking))
        async with hub.listen([Topic("tests:last")]) as mailbox:
            assert (await mailbox.news()).reset
            await redis.publish("tests:last", "heard")
            assert (await mailbox.news()).messages == {"tests:last": "heard"}
