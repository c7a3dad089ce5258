"""What bots leave in Redis."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from redis.asyncio import Redis

from fullon_graphql.cache import bots, keys
from fullon_graphql.cache.bots import Claim
from tests.conftest import Count

SAID = {"status": "looking", "symbol": "BTC/USD", "period": "Minutes", "performance": 1.5, "mood": "calm"}


async def test_a_bot_speaks_of_its_feeds_in_the_order_of_their_numbers(redis: Redis) -> None:
    text = json.dumps({"10": {"pnl": "2"}, "2": SAID | {"timestamp": "2026-01-01T12:00:00+00:00"}, "x": {}})
    await redis.hset(keys.BOT_STATUS, "1", text)
    [[two, ten, other]] = await bots.read_statuses(redis, [1])
    assert (two.feed_num, two.status, two.symbol, two.period, two.performance) == (
        2, "looking", "BTC/USD", "Minutes", 1.5,
    )  # fmt: skip
    assert two.timestamp == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert two.data["mood"] == "calm"
    assert (ten.feed_num, ten.performance, ten.status) == (10, 2.0, None)
    assert other.feed_num is None


async def test_what_cannot_be_read_spoils_nothing_else(redis: Redis) -> None:
    await redis.hset(
        keys.BOT_STATUS,
        mapping={"1": "{corrupt", "2": "[]", "3": '{"0": 7, "timestamp": "now"}', "4": json.dumps({"0": SAID})},
    )
    found = await bots.read_statuses(redis, [1, 2, 3, 4, 5])
    assert [len(statuses) for statuses in found] == [0, 0, 0, 1, 0]


async def test_what_json_has_no_word_for_is_null(redis: Redis) -> None:
    await redis.hset(
        keys.BOT_STATUS, "1", '{"0": {"performance": NaN, "best": Infinity, "count": 123456789012345678901}}'
    )
    [[status]] = await bots.read_statuses(redis, [1])
    assert status.performance is None
    assert status.data == {"performance": None, "best": None, "count": 123456789012345678901.0}


async def test_many_bots_are_one_round_trip(redis: Redis, redis_calls: Count) -> None:
    with redis_calls() as seen:
        await bots.read_statuses(redis, range(100))
        await bots.read_statuses(redis, [])
    assert seen == ["HMGET"]


async def test_claims_name_account_symbol_and_bot(redis: Redis, redis_calls: Count) -> None:
    await redis.hset(keys.BLOCKED_EXCHANGES, mapping={"20:BTC/USD:BTC": "1", "3:GOLD": "2", "x:y": "1", "20:ETH": ""})
    await redis.hset(keys.OPENING_POSITIONS, "20:BTC/USD", "6:2026-01-01T12:00:00+00:00")
    with redis_calls() as seen:
        claims = await bots.read_claims(redis)
    assert claims.blocks == [Claim(3, "GOLD", 2), Claim(20, "BTC/USD:BTC", 1)]
    assert claims.openings == [Claim(20, "BTC/USD", 6, datetime(2026, 1, 1, 12, tzinfo=UTC))]
    assert len(seen) == 1
