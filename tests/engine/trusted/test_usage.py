"""Usage: counts by day that lose nothing while Redis is away, and stay bounded."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from graphql import build_schema
from redis.asyncio import Redis

from fullon_graphql.cache import documents, keys
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings
from fullon_graphql.engine.documents import Document, DocumentCache, Operation
from fullon_graphql.engine.limits import Limits
from fullon_graphql.engine.trace import Trace
from fullon_graphql.engine.trusted import usage as usage_module
from fullon_graphql.engine.trusted.identifiers import hash_of
from fullon_graphql.engine.trusted.usage import MOST_CLIENTS, OTHER, Usage
from fullon_graphql.observability.metrics import Metrics

SCHEMA = build_schema('type Query { a: Int b: Int @deprecated(reason: "Use a. Removed after 2027-01-31.") }')
DAY = date(2026, 11, 30)


@pytest.fixture(autouse=True)
def _day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_module, "_today", lambda: DAY)


async def read(text: str) -> tuple[Document, Operation]:
    document = await DocumentCache(SCHEMA, Limits(), usage=True).read(text, Trace())
    operation = document.operation(None)
    assert operation is not None
    return document, operation


async def test_documents_and_fields_are_counted_by_client(redis: Redis) -> None:
    metrics = Metrics()
    usage = Usage(SCHEMA, metrics)
    text = "query A { a x: a b }"
    document, operation = await read(text)
    assert usage.count(document, operation, "desk")
    assert not usage.count(document, operation, "desk")
    assert usage.count(document, operation, None)
    await usage.flush(redis)
    await usage.flush(redis)
    assert await documents.document_usage(redis, [DAY]) == {
        DAY: {(hash_of(text), "A", "desk"): 2, (hash_of(text), "A", ""): 1}
    }
    assert await documents.field_usage(redis, [DAY]) == {
        DAY: {("Query.a", "desk"): 2, ("Query.b", "desk"): 2, ("Query.a", ""): 1, ("Query.b", ""): 1}
    }
    assert 0 < await redis.ttl(keys.document_usage(DAY)) <= documents.USAGE_DAYS * 86_400
    assert b'fullon_graphql_deprecated_fields_total{field="Query.b"} 3.0' in metrics.text()
    assert b"Query.a" not in metrics.text()


async def test_counts_are_kept_while_redis_is_away(settings: Settings, redis: Redis) -> None:
    usage = Usage(SCHEMA, Metrics())
    document, operation = await read("{ a }")
    usage.count(document, operation, "desk")
    async with connect("redis://127.0.0.1:1/0", settings, "tests") as away:
        with pytest.raises(Exception, match=r".*"):
            await usage.flush(away)
    usage.count(document, operation, "desk")
    await usage.flush(redis)
    assert (await documents.field_usage(redis, [DAY]))[DAY] == {("Query.a", "desk"): 2}


async def test_names_of_clients_and_documents_are_bounded(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_module, "MOST_DOCUMENTS", 60)
    usage = Usage(SCHEMA, Metrics())
    document, operation = await read("{ a }")
    for number in range(50):
        usage.count(document, operation, f"{number}-{'x' * 10_000}")
    await usage.flush(redis)
    found = (await documents.field_usage(redis, [DAY]))[DAY]
    assert len(found) == MOST_CLIENTS + 1
    assert found["Query.a", OTHER] == 50 - MOST_CLIENTS
    assert max(len(client) for _, client in found) == 80
    for number in range(100):
        other = Document(f"{number}", (), hash=f"{number}")
        usage.count(other, operation, "0-" + "x" * 10_000)
    await usage.flush(redis)
    counted = (await documents.document_usage(redis, [DAY]))[DAY]
    assert len(counted) <= 60 + MOST_CLIENTS
    assert sum(count for (id_, _, _), count in counted.items() if id_ == OTHER) > 0


async def test_usage_of_a_day_is_under_its_key(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    usage, operation = Usage(SCHEMA, Metrics()), await read("{ a }")
    for day in (DAY, date(2026, 12, 1)):
        monkeypatch.setattr(usage_module, "_today", lambda day=day: day)
        usage.count(*operation, "desk")
        await usage.flush(redis)
    days = [DAY, date(2026, 12, 1), datetime(2026, 12, 2, tzinfo=UTC).date()]
    assert [sum(counts.values()) for counts in (await documents.field_usage(redis, days)).values()] == [1, 1, 0]
