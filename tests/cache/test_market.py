"""Public trades and bars in queues of the platform."""

from __future__ import annotations

import orjson
from redis.asyncio import Redis

from fullon_graphql.cache import keys, market
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings


async def test_broken_items_of_a_queue_are_left_out(redis: Redis, settings: Settings) -> None:
    await redis.rpush(
        keys.trades("kraken", "A/B"), '{"price": 1}', b'{"side": "\xff"}', "{", '{"price": NaN}', "[" * 9000
    )
    await redis.set(keys.trades_status("kraken"), b"\xff")
    async with connect(settings.redis_url, settings, "tests") as client:
        queue = await market.read_trades(client, "kraken", "A/B", 10)
    assert (queue.size, queue.last_pushed, queue.trades) == (5, None, [{"price": 1}, {"price": None}])
    orjson.dumps(queue.trades)


async def test_queue_in_a_key_of_another_type_is_empty(redis: Redis) -> None:
    await redis.set(keys.trades("kraken", "A/B"), "x")
    await redis.set(keys.ohlcv("A/B", "1m"), "x")
    assert (await market.read_trades(redis, "kraken", "A/B", 10)).trades == []
    assert await market.read_bars(redis, "A/B", "1m", 10) == []
