"""Watches: one read for all subscribers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from fullon_graphql.cache.client import connect
from fullon_graphql.cache.hub import Hub
from fullon_graphql.cache.watch import Watch
from fullon_graphql.config import Settings
from tests.fixtures.eventually import eventually

CHANNEL = "tests:changes"


class Source:
    """The source of a watch: texts by name. It counts reads, and fails on request."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.reads: list[list[str]] = []
        self.error: Exception | None = None

    async def read(self, names: Sequence[str]) -> dict[str, str]:
        self.reads.append(sorted(names))
        if self.error:
            raise self.error
        return {name: self.texts.get(name, "") for name in names}


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
async def hub(settings: Settings) -> AsyncIterator[Hub]:
    async with connect(settings.redis_url, settings, "tests") as client, Hub(client, 15) as hub:
        yield hub


@pytest.fixture
def watch(hub: Hub, source: Source) -> Watch[str, str]:
    """A watch that reads at announcements only."""
    return Watch(hub, [CHANNEL], source.read, interval=3600)


@pytest.fixture(autouse=True)
async def _limit() -> AsyncIterator[None]:
    async with asyncio.timeout(60):
        yield


async def test_subscriber_gets_the_state_and_announced_changes(
    watch: Watch[str, str], source: Source, redis: Redis
) -> None:
    async with aclosing(watch.states("a")) as states:
        assert await anext(states) == ""
        source.texts = {"a": "1", "b": "2"}
        await redis.publish(CHANNEL, "")
        assert await anext(states) == "1"


async def test_unannounced_change_is_read_at_the_interval(hub: Hub, source: Source) -> None:
    watch: Watch[str, str] = Watch(hub, [CHANNEL], source.read, interval=0.01)
    async with aclosing(watch.states("a")) as states:
        assert await anext(states) == ""
        source.texts["a"] = "1"
        assert await anext(states) == "1"


async def test_subscribers_share_one_read(watch: Watch[str, str], source: Source, redis: Redis) -> None:
    names = ["a", "b", "b", "c"]
    streams = [watch.states(name) for name in names]
    for stream in streams:
        await anext(stream)
    source.reads.clear()
    source.texts = dict.fromkeys(names, "new")
    await redis.publish(CHANNEL, "")
    for stream in streams:
        assert await anext(stream) == "new"
    assert ["a", "b", "c"] in source.reads
    assert len(source.reads) < len(streams)
    for stream in streams:
        await stream.aclose()


async def test_equal_state_is_sent_once_and_the_newest_wins(
    watch: Watch[str, str], source: Source, redis: Redis
) -> None:
    async with aclosing(watch.states("a")) as slow, aclosing(watch.states("a")) as other:
        assert await anext(slow) == await anext(other) == ""
        for text in ("1", "2", "2", "3"):
            source.texts["a"] = text
            reads = len(source.reads)
            await redis.publish(CHANNEL, "")
            await eventually(lambda: len(source.reads) > reads)  # noqa: B023  # called in this turn of the loop only
        assert await anext(other) == "3"
        assert await anext(slow) == "3"


async def test_nothing_is_read_without_subscribers(watch: Watch[str, str], source: Source, hub: Hub) -> None:
    async with aclosing(watch.states("a")) as states:
        await anext(states)
        assert hub.topics == 1
    assert hub.topics == 0
    source.reads.clear()
    async with aclosing(watch.states("b")) as states:
        await anext(states)
    assert all(names == ["b"] for names in source.reads)


async def test_failed_read_fails_new_subscribers_and_others_wait(
    watch: Watch[str, str], source: Source, redis: Redis
) -> None:
    async with aclosing(watch.states("a")) as waiting:
        await anext(waiting)
        source.error = RedisConnectionError("gone")
        async with aclosing(watch.states("a")) as newcomer:
            with pytest.raises(RedisConnectionError):
                await anext(newcomer)
        source.error, source.texts["a"] = None, "back"
        await redis.publish(CHANNEL, "")
        assert await anext(waiting) == "back"


async def test_streams_continue_after_an_unexpected_error(watch: Watch[str, str], source: Source, hub: Hub) -> None:
    async with aclosing(watch.states("a")) as waiting:
        await anext(waiting)
        source.error = LookupError("a bug")
        async with aclosing(watch.states("b")) as newcomer:
            with pytest.raises(LookupError):
                await anext(newcomer)
        assert hub.tasks.down == [f"watch {CHANNEL}"]
        source.error, source.texts["a"] = None, "back"
        assert await anext(waiting) == "back"
        assert hub.tasks.down == []
        assert hub.tasks.failures[f"watch {CHANNEL}"] >= 1
