"""One look for all who listen."""

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

CHANNEL = "tests:changes"


class Shelf:
    """What is watched: texts by name, every look counted, silent on demand."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.looks: list[list[str]] = []
        self.problem: Exception | None = None

    async def read(self, names: Sequence[str]) -> dict[str, str]:
        self.looks.append(sorted(names))
        if self.problem:
            raise self.problem
        return {name: self.texts.get(name, "") for name in names}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def hub(settings: Settings) -> AsyncIterator[Hub]:
    async with connect(settings.redis_url, settings, "tests") as client, Hub(client, 15) as hub:
        yield hub


@pytest.fixture
def watch(hub: Hub, shelf: Shelf) -> Watch[str, str]:
    """Never looks by itself after the first time."""
    return Watch(hub, [CHANNEL], shelf.read, interval=3600)


@pytest.fixture(autouse=True)
async def _limit() -> AsyncIterator[None]:
    async with asyncio.timeout(60):
        yield


async def test_a_listener_gets_the_state_and_then_what_a_writer_announces(
    watch: Watch[str, str], shelf: Shelf, redis: Redis
) -> None:
    async with aclosing(watch.states("a")) as states:
        assert await anext(states) == ""
        shelf.texts = {"a": "1", "b": "2"}
        await redis.publish(CHANNEL, "")
        assert await anext(states) == "1"


async def test_what_nobody_announces_is_seen_by_looking_again(hub: Hub, shelf: Shelf) -> None:
    watch: Watch[str, str] = Watch(hub, [CHANNEL], shelf.read, interval=0.01)
    async with aclosing(watch.states("a")) as states:
        assert await anext(states) == ""
        shelf.texts["a"] = "1"
        assert await anext(states) == "1"


async def test_all_listeners_share_one_look_at_what_they_listen_to(
    watch: Watch[str, str], shelf: Shelf, redis: Redis
) -> None:
    names = ["a", "b", "b", "c"]
    streams = [watch.states(name) for name in names]
    for stream in streams:
        await anext(stream)
    shelf.looks.clear()
    shelf.texts = dict.fromkeys(names, "new")
    await redis.publish(CHANNEL, "")
    for stream in streams:
        assert await anext(stream) == "new"
    assert ["a", "b", "c"] in shelf.looks
    assert len(shelf.looks) < len(streams)
    for stream in streams:
        await stream.aclose()


async def test_the_same_state_is_told_once_and_the_newest_wins(
    watch: Watch[str, str], shelf: Shelf, redis: Redis
) -> None:
    async with aclosing(watch.states("a")) as slow, aclosing(watch.states("a")) as other:
        assert await anext(slow) == await anext(other) == ""
        for text in ("1", "2", "2", "3"):
            shelf.texts["a"] = text
            looks = len(shelf.looks)
            await redis.publish(CHANNEL, "")
            while len(shelf.looks) == looks:
                await asyncio.sleep(0)
        assert await anext(other) == "3"
        assert await anext(slow) == "3"


async def test_nobody_looks_while_nobody_listens(watch: Watch[str, str], shelf: Shelf, hub: Hub) -> None:
    async with aclosing(watch.states("a")) as states:
        await anext(states)
        assert hub.topics == 1
    assert hub.topics == 0
    shelf.looks.clear()
    async with aclosing(watch.states("b")) as states:
        await anext(states)
    assert all(looked_at == ["b"] for looked_at in shelf.looks)


async def test_who_comes_while_redis_is_silent_is_told_and_the_others_wait(
    watch: Watch[str, str], shelf: Shelf, redis: Redis
) -> None:
    async with aclosing(watch.states("a")) as patient:
        await anext(patient)
        shelf.problem = RedisConnectionError("gone")
        async with aclosing(watch.states("a")) as newcomer:
            with pytest.raises(RedisConnectionError):
                await anext(newcomer)
        shelf.problem, shelf.texts["a"] = None, "back"
        await redis.publish(CHANNEL, "")
        assert await anext(patient) == "back"


async def test_a_mistake_of_ours_ends_every_stream_and_the_next_begins_anew(
    watch: Watch[str, str], shelf: Shelf
) -> None:
    async with aclosing(watch.states("a")) as one:
        await anext(one)
        shelf.problem = LookupError("a bug")
        async with aclosing(watch.states("b")) as other:
            with pytest.raises(LookupError):
                await anext(other)
        with pytest.raises(LookupError):
            await anext(one)
    shelf.problem = None
    async with aclosing(watch.states("a")) as again:
        assert await anext(again) == ""
