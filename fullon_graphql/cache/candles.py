"""Announcements of stored candles. Without one, subscribers read the store at intervals."""

from __future__ import annotations

from collections.abc import Iterable

from redis.asyncio import Redis

from fullon_graphql.cache import keys


async def announce(redis: Redis, instruments: Iterable[tuple[str, str]], complete_until: float = 0) -> None:
    """Publish that candles of each (exchange, symbol) are stored; all of them until `complete_until` (unix seconds).

    Call it after the commit.
    """
    async with redis.pipeline(transaction=False) as pipeline:
        for exchange, symbol in instruments:
            pipeline.publish(keys.candle_writes(exchange, symbol), round(complete_until * 1000))
        await pipeline.execute()
