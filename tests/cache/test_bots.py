"""Statuses and claims of bots."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import orjson
import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import bots, keys
from fullon_graphql.cache.bots import Claim
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings
from tests.conftest import Count

STATUS = {"status": "looking", "symbol": "BTC/USD", "period": "Minutes", "performance": 1.5, "mood": "calm"}


async def test_statuses_are_ordered_by_feed_number(redis: Redis) -> None:
    text = json.dumps({"10": {"pnl": "2"}, "2": STATUS | {"timestamp": "2026-01-01T12:00:00+00:00"}, "x": {}})
    await redis.hset(keys.BOT_STATUS, "1", text)
    [[two, ten, other]] = await bots.read_statuses(redis, [1])
    assert (two.feed_num, two.status, two.symbol, two.period, two.performance) == (
        2, "looking", "BTC/USD", "Minutes", 1.5,
    )  # fmt: skip
    assert two.timestamp == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert two.data["mood"] == "calm"
    assert (ten.feed_num, ten.performance, ten.status) == (10, 2.0, None)
    assert other.feed_num is None


async def test_broken_statuses_are_left_out(redis: Redis) -> None:
    await redis.hset(
        keys.BOT_STATUS,
        mapping={"1": "{corrupt", "2": "[]", "3": '{"0": 7, "timestamp": "now"}', "4": json.dumps({"0": STATUS})},
    )
    found = await bots.read_statuses(redis, [1, 2, 3, 4, 5])
    assert [len(statuses) for statuses in found] == [0, 0, 0, 1, 0]


async def test_numbers_that_json_cannot_represent_are_null(redis: Redis) -> None:
    await redis.hset(
        keys.BOT_STATUS, "1", '{"0": {"performance": NaN, "best": Infinity, "count": 123456789012345678901}}'
    )
    [[status]] = await bots.read_statuses(redis, [1])
    assert status.performance is None
    assert status.data == {"performance": None, "best": None, "count": 123456789012345678901.0}


async def test_many_bots_need_one_round_trip(redis: Redis, redis_calls: Count) -> None:
    with redis_calls() as seen:
        await bots.read_statuses(redis, range(100))
        await bots.read_statuses(redis, [])
    assert seen == ["HMGET"]


async def test_claims_have_account_symbol_and_bot(redis: Redis, redis_calls: Count) -> None:
    await redis.hset(keys.BLOCKED_EXCHANGES, mapping={"20:BTC/USD:BTC": "1", "3:GOLD": "2", "x:y": "1", "20:ETH": ""})
    await redis.hset(keys.OPENING_POSITIONS, "20:BTC/USD", "6:2026-01-01T12:00:00+00:00")
    with redis_calls() as seen:
        claims = await bots.read_claims(redis)
    assert claims.blocks == [Claim(3, "GOLD", 2), Claim(20, "BTC/USD:BTC", 1)]
    assert claims.openings == [Claim(20, "BTC/USD", 6, datetime(2026, 1, 1, 12, tzinfo=UTC))]
    assert len(seen) == 1


async def test_status_and_claim_that_are_not_utf8_affect_no_other(redis: Redis, settings: Settings) -> None:
    await redis.hset(keys.BOT_STATUS, mapping={"1": b'{"0": {"status": "\xff"}}', "2": json.dumps({"0": STATUS})})
    await redis.hset(keys.BLOCKED_EXCHANGES, mapping={b"3:\xff": "1", "3:GOLD": "2", "3:ETH": b"1\xff"})
    async with connect(settings.redis_url, settings, "tests") as client:
        found = await bots.read_statuses(client, [1, 2])
        assert [len(statuses) for statuses in found] == [0, 1]
        assert (await bots.read_claims(client)).blocks == [Claim(3, "GOLD", 2)]


async def test_status_is_always_json_that_can_be_written(redis: Redis) -> None:
    deep = "[" * 300 + "]" * 300
    text = f'{{"0": {{"status": "\\ud800", "\\ud800": 1, "deep": {deep}, "n": 1e999, "t": 1, "timestamp": 1e308}}}}'
    await redis.hset(keys.BOT_STATUS, "1", text)
    [[status]] = await bots.read_statuses(redis, [1])
    assert (status.status, status.timestamp) == (None, None)
    written = orjson.loads(orjson.dumps(status.data))
    assert (written["t"], written["n"], written["status"]) == (1, None, None)
    assert "\ud800" not in status.data


@pytest.mark.parametrize("key", [keys.BOT_STATUS, keys.BLOCKED_EXCHANGES])
async def test_key_of_another_type_is_empty(redis: Redis, key: str) -> None:
    await redis.set(key, "x")
    assert await bots.read_statuses(redis, [1]) == [[]]
    assert (await bots.read_claims(redis)).blocks == []
