"""Tickers of instruments: requests at the same time share a read, and only callers with the scope receive it."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.errors import Unauthenticated
from fullon_graphql.services.tickers import SharedTickers
from tests.fixtures.graph import principal
from tests.fixtures.rows import OTHER, TRADER

BTC = ("kraken", "BTC/USD")


async def reads(redis: Redis) -> int:
    """The number of reads of tickers since Redis was started."""
    found: dict[str, dict[str, int]] = await redis.info("commandstats")
    return found.get("cmdstat_hmget", {"calls": 0})["calls"]


async def test_equal_reads_that_wait_share_a_round_trip(redis: Redis) -> None:
    await tickers.write(redis, [Ticker(*BTC, 101, 10.25)])
    shared, before = SharedTickers(redis), await reads(redis)
    callers = [principal(TRADER), principal(OTHER)] * 10
    found = await asyncio.gather(*(shared.of_instruments(caller, [BTC]) for caller in callers))
    assert found == [[Ticker(*BTC, 101, 10.25)]] * 20
    assert await reads(redis) - before == 2  # the first one alone, and one for all that came meanwhile


async def test_read_after_a_write_returns_the_new_ticker(redis: Redis) -> None:
    shared = SharedTickers(redis)
    for price in (1.0, 2.0):
        await tickers.write(redis, [Ticker(*BTC, price, 10.25)])
        [found] = await shared.of_instruments(principal(TRADER), [BTC])
        assert found is not None
        assert found.price == price


async def test_anonymous_caller_receives_no_shared_ticker(redis: Redis) -> None:
    shared = SharedTickers(redis)
    allowed, refused = await asyncio.gather(
        shared.of_instruments(principal(TRADER), [BTC]),
        shared.of_instruments(Anonymous(), [BTC]),
        return_exceptions=True,
    )
    assert allowed == [None]
    assert isinstance(refused, Unauthenticated)
