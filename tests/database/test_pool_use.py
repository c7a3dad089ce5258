"""The use of connection pools, as `/health/deep` shows it."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from fullon_graphql.cache.client import connect, pool_use
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.observability.pools import PoolUse
from tests.fixtures.eventually import eventually_equal


async def test_database_counts_both_pools_and_waiting_callers(settings: Settings) -> None:
    small = settings.model_copy(update={"db_pool_size": 1, "db_pool_max_overflow": 0})
    database = Database.connect(settings.database_url, "tests", small)

    async def use() -> PoolUse:
        return database.use

    assert database.use == PoolUse(2, 0, 0)
    async with database.connection() as connection:
        await connection.execute(text("SELECT 1"))
        waiting = asyncio.create_task(database.rows(text("SELECT 1")))
        sleeping = asyncio.create_task(database.text("SELECT pg_sleep(30)::text"))
        behind = asyncio.create_task(database.text("SELECT 'x'"))
        await eventually_equal(use, PoolUse(2, 2, 2))
        sleeping.cancel()
    await asyncio.gather(waiting, sleeping, behind, return_exceptions=True)
    assert database.use == PoolUse(2, 0, 0)
    await database.close()


async def test_redis_counts_connections_in_use(settings: Settings) -> None:
    client = connect(settings.redis_url, settings.model_copy(update={"redis_max_connections": 4}), "tests")
    other = connect(settings.redis_url, settings, "tests")

    async def use() -> PoolUse:
        return pool_use(client)

    assert await use() == PoolUse(4, 0, 0)
    blocked = [asyncio.ensure_future(client.blpop(["queue"])) for _ in range(4)]
    await eventually_equal(use, PoolUse(4, 4, 0))
    ping = asyncio.ensure_future(client.ping())
    await eventually_equal(use, PoolUse(4, 4, 1))
    await other.rpush("queue", *"abcd")
    await asyncio.gather(*blocked, ping)
    assert await use() == PoolUse(4, 0, 0)
    await client.aclose()
    await other.aclose()
