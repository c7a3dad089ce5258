"""Pruning of the change feed, and the cursors that it invalidates."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.database import Database
from fullon_graphql.errors import CursorExpired
from fullon_graphql.models import Order
from fullon_graphql.services.change_feed import pruning as pruning_module
from fullon_graphql.services.change_feed.pruning import Pruning, prune
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.change_feed.table import Interest, Position
from tests.fixtures.eventually import eventually_equal

ORDERS = Interest(Order, uid=2)
EVERYTHING = 2**62
"""A number above every transaction."""

ADD = text(
    "INSERT INTO fullon_graphql.changes (xid, entity, operation, key, uid, at) "
    "SELECT xid, 'orders', 'CREATED', jsonb_build_object('order_id', xid), 2, now() - make_interval(hours => :hours) "
    "FROM generate_series(CAST(:first AS bigint), :last) AS xid"
)


async def add(database: Database, first: int, last: int, hours: int) -> None:
    """Add one change of an age of `hours` to each transaction from `first` to `last`."""
    async with database.transaction() as connection:
        await connection.execute(ADD, {"first": first, "last": last, "hours": hours})


async def kept(database: Database) -> list[int]:
    rows = await database.rows(text("SELECT xid FROM fullon_graphql.changes ORDER BY xid"))
    return [row.xid for row in rows]


async def after(database: Database, redis: Redis, xid: int) -> int:
    """The transaction of the first change after that of `xid`."""
    [row] = await database.rows(text("SELECT xid, seq FROM fullon_graphql.changes WHERE xid = :xid"), {"xid": xid})
    async with (
        ChangeFeed(database, redis, 60) as feed,
        aclosing(feed.follow(ORDERS, Position(row.xid, row.seq))) as batches,
    ):
        return (await anext(batches))[0].position.xid


async def test_changes_older_than_the_retention_are_deleted(database: Database) -> None:
    await add(database, 1, 3, hours=73)
    await add(database, 4, 6, hours=71)

    assert await prune(database, 72, EVERYTHING) == 3
    assert await kept(database) == [4, 5, 6]
    assert await prune(database, 72, EVERYTHING) == 0


async def test_changes_after_a_kept_one_are_not_deleted(database: Database) -> None:
    await add(database, 1, 1, hours=73)
    await add(database, 2, 2, hours=1)
    await add(database, 3, 3, hours=73)

    await prune(database, 72, EVERYTHING)

    assert await kept(database) == [2, 3]


async def test_changes_of_recent_transactions_are_kept_at_any_age(database: Database) -> None:
    await add(database, 1, 5, hours=73)

    await prune(database, 72, below=4)

    assert await kept(database) == [4, 5]


async def test_changes_are_deleted_in_bounded_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    prune_batch = pruning_module._prune_batch

    async def counted(*arguments: object) -> int:
        batches.append(await prune_batch(*arguments))  # type: ignore[arg-type]  # passed on unchanged
        return batches[-1]

    monkeypatch.setattr(pruning_module, "_prune_batch", counted)
    await add(database, 1, 12_000, hours=73)

    assert await prune(database, 72, EVERYTHING) == 12_000
    assert batches == [5_000, 5_000, 2_000, 0]


async def test_stream_resumes_exactly_at_the_beginning_of_the_pruned_feed(database: Database, redis: Redis) -> None:
    await add(database, 1, 1, hours=73)
    await add(database, 2, 3, hours=1)
    [first] = await database.rows(text("SELECT xid, seq FROM fullon_graphql.changes WHERE xid = 1"))
    await prune(database, 72, EVERYTHING)

    async with ChangeFeed(database, redis, 60) as feed:
        async with aclosing(feed.follow(ORDERS, Position(first.xid, first.seq))) as batches:
            assert [change.position.xid for change in await anext(batches)] == [2, 3]
        with pytest.raises(CursorExpired):
            await anext(feed.follow(ORDERS, Position(0, 1)))


async def test_cursor_in_the_pruned_part_is_refused(database: Database, redis: Redis) -> None:
    await add(database, 1, 4, hours=73)
    assert await after(database, redis, 1) == 2
    [first] = await database.rows(text("SELECT xid, seq FROM fullon_graphql.changes WHERE xid = 1"))
    await add(database, 5, 5, hours=1)

    await prune(database, 72, EVERYTHING)

    async with ChangeFeed(database, redis, 60) as feed:
        with pytest.raises(CursorExpired):
            await anext(feed.follow(ORDERS, Position(first.xid, first.seq)))


async def test_only_the_holder_of_the_lock_prunes(database: Database) -> None:
    await add(database, 1, 3, hours=73)
    async with database.transaction() as connection:
        assert await connection.scalar(pruning_module._OUR_TURN)
        assert await prune(database, 72, EVERYTHING) == 0
    assert await prune(database, 72, EVERYTHING) == 3


async def test_concurrent_workers_delete_each_change_once(database: Database) -> None:
    await add(database, 1, 3_000, hours=73)

    counts = await asyncio.gather(*(prune(database, 72, EVERYTHING) for _ in range(4)))

    assert sum(counts) == 3_000
    assert await kept(database) == []


async def test_worker_prunes_periodically(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning_module, "PERIOD", 0.01)
    await add(database, 1, 3, hours=73)
    await add(database, 4, 4, hours=1)

    async with BackgroundTasks().running({"pruning": Pruning(database, 72).run}):
        await eventually_equal(lambda: kept(database), [4], seconds=60)
