"""The keys of Redis by family, and its memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import SCAN_COUNT

MOST_KEYS: Final = 100_000
"""Keys that are counted by family, at most."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The number of keys, of all and by family, and bytes of memory; the limit is None if there is none."""

    total: int
    by_family: Mapping[str, int]
    used_bytes: int
    peak_bytes: int
    limit_bytes: int | None

    @property
    def is_complete(self) -> bool:
        """False if there are more keys than `MOST_KEYS`, so that not all were counted by family."""
        return sum(self.by_family.values()) < MOST_KEYS


async def read(redis: Redis) -> Overview:
    """The overview at this moment."""
    families: Counter[str] = Counter()
    async for key in redis.scan_iter(count=SCAN_COUNT):
        families[keys.family(key)] += 1
        if families.total() == MOST_KEYS:
            break
    memory = await redis.info("memory")
    return Overview(
        total=await redis.dbsize(),
        by_family=dict(sorted(families.items())),
        used_bytes=memory["used_memory"],
        peak_bytes=memory["used_memory_peak"],
        limit_bytes=memory["maxmemory"] or None,
    )
