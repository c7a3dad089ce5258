"""Registered documents: shared in Redis, bounded, and without effect on requests while Redis is away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from redis.asyncio import Redis

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.cache import documents, keys
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings
from fullon_graphql.engine.trusted.identifiers import hash_of
from fullon_graphql.engine.trusted.registered import RegisteredDocuments
from fullon_graphql.observability.metrics import Metrics
from tests.fixtures.eventually import eventually, eventually_equal

ME = "{ me { uid } }"


@pytest.fixture
async def make() -> AsyncIterator[Callable[[Redis], RegisteredDocuments]]:
    """`make(redis)`: the registered documents of one worker, whose background task runs."""
    background, tasks = BackgroundTasks(), []

    def made(redis: Redis) -> RegisteredDocuments:
        found = RegisteredDocuments(10_000, Metrics())
        tasks.append(background.start("registered documents", partial(found.store, redis)))
        return found

    yield made
    await background.stop(*tasks)


async def test_other_worker_finds_a_shared_document(redis: Redis, make: Callable[[Redis], RegisteredDocuments]) -> None:
    one, other, hash_ = make(redis), make(redis), hash_of(ME)
    one.register(hash_, ME, shared=False)
    assert await one.get(hash_, redis) == ME
    assert await other.get(hash_, redis) is None
    hash_ = hash_of(f"{ME} ")
    one.register(hash_, f"{ME} ", shared=True)
    await eventually_equal(lambda: other.get(hash_, redis), f"{ME} ")
    await redis.flushdb()
    assert await other.get(hash_, redis) == f"{ME} "


async def test_documents_in_memory_stay_within_the_limit(
    redis: Redis, make: Callable[[Redis], RegisteredDocuments]
) -> None:
    found = make(redis)
    for number in range(200):
        text = f"{ME} # {number}"
        found.register(hash_of(text), text, shared=False)
    assert 0 < found.size <= 10_000
    assert found.entries + found.evictions == 200


async def test_bytes_of_a_day_are_limited(
    redis: Redis, make: Callable[[Redis], RegisteredDocuments], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "REGISTERED_BYTES", 3 * len(ME) + 6)
    found = make(redis)
    for number in range(5):
        text = f"{ME} {number}"
        found.register(hash_of(text), text, shared=True)
        assert await found.get(hash_of(text), redis) == text
    await eventually(lambda: "not_stored" in dict(found._metrics.registered_documents._counts))
    stored = await redis.keys(keys.registered_document("*"))
    assert len(stored) <= 3


async def test_document_is_unknown_while_redis_is_away_and_stored_when_it_is_back(
    settings: Settings, redis: Redis, make: Callable[[Redis], RegisteredDocuments]
) -> None:
    client = connect("redis://127.0.0.1:1/0", settings, "tests")
    found, hash_ = make(client), hash_of(ME)
    assert await found.get(hash_, client) is None
    found.register(hash_, ME, shared=True)
    assert await found.get(hash_, client) == ME
    await eventually(lambda: dict(found._metrics.registered_documents._counts).get("not_stored"))
    back = connect(settings.redis_url, settings, "tests")
    client.connection_pool = back.connection_pool
    await eventually_equal(lambda: redis.get(keys.registered_document(hash_)), ME)
    await client.aclose()
    await back.aclose()


async def test_value_of_another_type_is_no_document(redis: Redis, make: Callable[[Redis], RegisteredDocuments]) -> None:
    found, hash_ = make(redis), hash_of(ME)
    await redis.hset(keys.registered_document(hash_), "a", "b")
    assert await found.get(hash_, redis) is None
    assert await found.get(hash_, redis) is None
