"""Documents in Redis: those that clients have registered, and the usage of documents and fields by day (UTC)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, TypeAlias, cast

import orjson
from redis.asyncio import Redis

from fullon_graphql.cache import keys

REGISTERED_SECONDS: Final = 24 * 3600
"""Time to live of a registered document."""
REGISTERED_BYTES: Final = 64 * 2**20
"""Bytes of the documents that are registered in one day; further ones are not shared between workers."""
USAGE_DAYS: Final = 90
"""Days for which the usage is kept."""

Names: TypeAlias = tuple[str, ...]


async def registered(redis: Redis, hash_: str) -> str | None:
    """The registered document with this hash. The caller verifies the hash."""
    return cast("str | None", await redis.get(keys.registered_document(hash_)))


async def register(redis: Redis, documents: Mapping[str, str], day: date) -> bool:
    """Store documents by their hashes. False if the bytes of this day are used up."""
    size = sum(len(text.encode()) for text in documents.values())
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.incrby(keys.registered_bytes(day), size)
        pipeline.expire(keys.registered_bytes(day), 2 * REGISTERED_SECONDS)
        total, _ = await pipeline.execute()
    if total > REGISTERED_BYTES:
        return False
    async with redis.pipeline(transaction=False) as pipeline:
        for hash_, text in documents.items():
            pipeline.set(keys.registered_document(hash_), text, ex=REGISTERED_SECONDS)
        await pipeline.execute()
    return True


async def add_usage(redis: Redis, day: date, documents: Mapping[Names, int], fields: Mapping[Names, int]) -> None:
    """Add counts of a day: of documents by id, operation and client; of fields by coordinate and client."""
    async with redis.pipeline(transaction=False) as pipeline:
        for key, counts in ((keys.document_usage(day), documents), (keys.field_usage(day), fields)):
            for names, count in counts.items():
                pipeline.hincrby(key, orjson.dumps(names).decode(), count)
            if counts:
                pipeline.expire(key, USAGE_DAYS * REGISTERED_SECONDS)
        await pipeline.execute()


async def document_usage(redis: Redis, days: Iterable[date]) -> dict[date, Counter[Names]]:
    """The uses of documents on each of these days, by id, operation and client."""
    return {day: await _usage(redis, keys.document_usage(day)) for day in days}


async def field_usage(redis: Redis, days: Iterable[date]) -> dict[date, Counter[Names]]:
    """The uses of fields on each of these days, by coordinate and client."""
    return {day: await _usage(redis, keys.field_usage(day)) for day in days}


async def _usage(redis: Redis, key: str) -> Counter[Names]:
    stored = cast("dict[str, str]", await redis.hgetall(key))
    return Counter({tuple(orjson.loads(names)): int(count) for names, count in stored.items()})
