"""The hub: one subscriber connection, which may break at any moment."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import hub as hub_module
from fullon_graphql.cache.client import connect
from fullon_graphql.cache.hub import Hub, Mailbox, News, Topic
from fullon_graphql.config import Settings
from tests.fixtures.eventually import eventually
from tests.fixtures.harness import Stores
from tests.fixtures.silent import silent_proxy


async def subscribe_repeatedly(hub: Hub, topic: Topic, until: asyncio.Task[None]) -> None:
    while not until.done():
        async with hub.listen([topic]) as mailbox:
            assert (await mailbox.news()).reset


async def break_connections(redis: Redis) -> None:
    """Break the hub's connection repeatedly, while it is made and while it is used."""
    random = Random(1)
    for _ in range(60):
        await redis.client_kill_filter(_type="pubsub")
        await asyncio.sleep(random.uniform(0, 0.05))


async def test_subscription_survives_broken_connections(settings: Settings, redis: Redis) -> None:
    async with (
        asyncio.timeout(60),
        connect(settings.redis_url, settings, "tests") as client,
        Hub(client, 15) as hub,
    ):
        async with asyncio.TaskGroup() as group:
            breaking = group.create_task(break_connections(redis))
            for number in range(8):
                group.create_task(subscribe_repeatedly(hub, Topic(f"tests:{number}"), breaking))
        async with hub.listen([Topic("tests:last")]) as mailbox:
            assert (await mailbox.news()).reset
            await redis.publish("tests:last", "received")
            assert (await mailbox.news()).messages == {"tests:last": "received"}


class Broken(Mailbox):
    """A mailbox whose delivery fails."""

    def deliver(self, channel: str, message: str) -> None:
        raise LookupError(f"a bug for {message}")


async def test_mailbox_that_raises_is_reset_and_others_receive_the_message(settings: Settings, redis: Redis) -> None:
    async with (
        asyncio.timeout(60),
        connect(settings.redis_url, settings, "tests") as client,
        Hub(client, 15) as hub,
        hub.listen([Topic("tests:one")], Broken()) as broken,
        hub.listen([Topic("tests:one")]) as mailbox,
    ):
        assert (await broken.news()).reset
        assert (await mailbox.news()).reset
        for text in ("first", "second"):
            await redis.publish("tests:one", text)
            assert (await mailbox.news()).messages == {"tests:one": text}
            assert (await broken.news()).reset
        assert hub.tasks.down == []
        assert hub.tasks.failures == {}


async def test_mailbox_keeps_the_newest_message_of_each_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAX_BYTES", 1_000)
    mailbox = Mailbox()
    for number in range(100):  # more bytes than the limit, if replaced messages counted
        mailbox.deliver("one", f"{number:100}")
        mailbox.deliver("two", f"{number:100}")
    assert await mailbox.news() == News({"one": f"{99:100}", "two": f"{99:100}"}, reset=False)


@pytest.mark.parametrize(("limit", "channels", "size"), [("MAX_CHANNELS", 11, 1), ("MAX_BYTES", 2, 400_000)])
async def test_mailbox_over_a_limit_is_emptied_and_reset(
    monkeypatch: pytest.MonkeyPatch, limit: str, channels: int, size: int
) -> None:
    monkeypatch.setattr(hub_module, limit, 10 if limit == "MAX_CHANNELS" else 500_000)
    mailbox = Mailbox()
    for number in range(channels):
        mailbox.deliver(f"channel {number}", "x" * size)
    assert await mailbox.news() == News({}, reset=True)
    mailbox.deliver("channel", "later")
    assert await mailbox.news() == News({"channel": "later"}, reset=False)


async def test_idle_connection_is_kept_and_one_that_is_silent_is_replaced(
    monkeypatch: pytest.MonkeyPatch, stores: Stores, settings: Settings, redis: Redis
) -> None:
    monkeypatch.setattr(hub_module, "SILENCE", 0.3)
    async with (
        asyncio.timeout(60),
        silent_proxy(stores, "redis") as (proxy, address),
        connect(address["REDIS_URL"], settings, "tests") as client,
        Hub(client, 15) as hub,
        hub.listen([Topic("tests:one")]) as mailbox,
    ):
        assert (await mailbox.news()).reset
        assert await mailbox.news_until(asyncio.get_running_loop().time() + 2) is None, "Redis answers pings"
        await redis.publish("tests:one", "on the first connection")
        assert await mailbox.news() == News({"tests:one": "on the first connection"}, reset=False)
        proxy.is_silent = True
        await eventually(lambda: hub.tasks.down)
        proxy.is_silent = False
        assert (await mailbox.news()).reset
        await redis.publish("tests:one", "on the second connection")
        assert await mailbox.news() == News({"tests:one": "on the second connection"}, reset=False)
