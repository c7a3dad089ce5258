"""The relay between workers: one reads the table, the others follow, and no change is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress

import asyncpg
import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.models import BotLog, Order
from fullon_graphql.services.change_feed import reader, relay
from fullon_graphql.services.change_feed.mailbox import Mailbox, Mailboxes
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.change_feed.table import Batch, Change, ChangeKind, Interest, Position, read_batch
from tests.fixtures.eventually import eventually

ORDERS = Interest(Order)
INSERT = (
    "INSERT INTO orders (order_id, bot_id, uid, ex_id, cat_ex_id, exchange, symbol, order_type, side, volume, status, "
    "reason) VALUES ($1, 7, 2, 1, 1, 'kraken', 'BTC/USD', 'limit', 'buy', 1, 'New', '')"
)
LIMIT = 60
"""Seconds for steps that take milliseconds."""


class Subscriber:
    """Collects the orders of all changes it receives."""

    def __init__(self, feed: ChangeFeed) -> None:
        self.orders: list[int] = []
        self.task = asyncio.create_task(self._follow(feed))

    async def received(self, orders: list[int]) -> None:
        """Wait for these orders, and no others."""

        async def all_there() -> bool:
            assert not self.task.done()
            return len(self.orders) >= len(orders)

        await eventually(all_there, LIMIT)
        assert self.orders == orders

    async def _follow(self, feed: ChangeFeed) -> None:
        async with aclosing(feed.follow(ORDERS)) as batches:
            async for batch in batches:
                self.orders += [change.key["order_id"] for change in batch]


@asynccontextmanager
async def subscribed(feed: ChangeFeed) -> AsyncIterator[Subscriber]:
    async def has_mailbox() -> bool:
        return feed.listeners > 0

    subscriber = Subscriber(feed)
    try:
        await eventually(has_mailbox, LIMIT)
        yield subscriber
    finally:
        subscriber.task.cancel()
        with suppress(asyncio.CancelledError):
            await subscriber.task


@pytest.fixture
async def writer(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(settings.database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def feeds(database: Database, redis: Redis) -> AsyncIterator[list[ChangeFeed]]:
    """The feeds of three workers."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(ChangeFeed(database, redis, LIMIT)) for _ in range(3)]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """The batches with changes that were read from the table."""
    found: list[Batch] = []

    async def counted(connection: asyncpg.Connection, after: Position) -> Batch:
        batch = await read_batch(connection, after)
        if batch.changes:
            found.append(batch)
        return batch

    monkeypatch.setattr(reader, "read_batch", counted)
    return found


async def test_one_worker_reads_the_table_for_all(
    feeds: list[ChangeFeed], writer: asyncpg.Connection, reads: list[Batch]
) -> None:
    async with AsyncExitStack() as stack:
        subscribers = [await stack.enter_async_context(subscribed(feed)) for feed in feeds]
        for number in range(1, 11):
            await writer.execute(INSERT, number)
            for subscriber in subscribers:
                await subscriber.received([*range(1, number + 1)])

    # A follower that was not scheduled for a while may have read the table once.
    assert 10 <= len(reads) <= 13


async def test_forced_elections_lose_and_double_nothing(
    feeds: list[ChangeFeed], writer: asyncpg.Connection, redis: Redis
) -> None:
    async with AsyncExitStack() as stack:
        subscribers = [await stack.enter_async_context(subscribed(feed)) for feed in feeds]
        for number in range(1, 61):
            if number % 10 == 0:
                await redis.delete(keys.CHANGE_FEED_LEASE)
            if number % 25 == 0:
                await redis.delete(keys.CHANGE_FEED)
            await writer.execute(INSERT, number)
        for subscriber in subscribers:
            await subscriber.received([*range(1, 61)])


async def test_two_leaders_at_once_lose_and_double_nothing(
    feeds: list[ChangeFeed], writer: asyncpg.Connection, redis: Redis
) -> None:
    async with AsyncExitStack() as stack:
        subscribers = [await stack.enter_async_context(subscribed(feed)) for feed in feeds]
        for number in range(1, 21):
            if number == 10:
                for feed in feeds:
                    feed._relay.is_leader = True
            await writer.execute(INSERT, number)
        for subscriber in subscribers:
            await subscriber.received([*range(1, 21)])


async def test_next_worker_leads_after_the_last_subscriber_of_the_leader_leaves(
    feeds: list[ChangeFeed], writer: asyncpg.Connection, redis: Redis
) -> None:
    first, second, _ = feeds
    async with AsyncExitStack() as stack:
        async with subscribed(first):
            subscriber = await stack.enter_async_context(subscribed(second))
            assert (first._relay.is_leader, second._relay.is_leader) == (True, False)

        async def second_leads() -> bool:
            return second._relay.is_leader

        await eventually(second_leads, LIMIT)
        await writer.execute(INSERT, 1)
        await subscriber.received([1])

    async def lease_is_released() -> bool:
        return not await redis.exists(keys.CHANGE_FEED_LEASE)

    await eventually(lease_is_released, LIMIT)


async def test_worker_reads_the_table_without_redis(database: Database, writer: asyncpg.Connection) -> None:
    settings = Settings(redis_url="redis://127.0.0.1:1/0", redis_timeout=0.5)
    async with (
        connect(settings.redis_url, settings, "tests") as absent,
        ChangeFeed(database, absent, LIMIT) as feed,
        subscribed(feed) as subscriber,
    ):
        for number in range(1, 4):
            await writer.execute(INSERT, number)
            await subscriber.received([*range(1, number + 1)])


async def test_unreadable_message_is_replaced_by_the_table(
    feeds: list[ChangeFeed], writer: asyncpg.Connection, redis: Redis
) -> None:
    first, second, _ = feeds
    async with subscribed(first), subscribed(second) as subscriber:
        await redis.xadd(keys.CHANGE_FEED, {"batch": "[[1,2],["})
        await writer.execute(INSERT, 1)
        await subscriber.received([1])


async def test_batch_that_is_too_large_for_the_stream_is_read_from_the_table(
    feeds: list[ChangeFeed], writer: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "MESSAGE_BYTES", 100)
    async with subscribed(feeds[0]), subscribed(feeds[1]) as subscriber:
        async with writer.transaction():
            await writer.executemany(INSERT, [(number,) for number in range(1, 101)])
        await subscriber.received([*range(1, 101)])


async def test_stream_is_bounded(feeds: list[ChangeFeed], writer: asyncpg.Connection, redis: Redis) -> None:
    async with subscribed(feeds[0]) as subscriber:
        for number in range(1, 21):
            await writer.execute(INSERT, number)
        await subscriber.received([*range(1, 21)])
        assert 0 < await redis.ttl(keys.CHANGE_FEED) <= relay.STREAM_SECONDS


def change(size: int) -> Change:
    return Change(Position(1, size), "bot_log", ChangeKind.CREATED, {"message": "x" * size}, 2, 7, 1.0)


def test_mailbox_is_bounded_in_bytes() -> None:
    mailbox = Mailbox(Interest(Order), Position(1, 0))

    mailbox.deliver([change(1_500_000)], Position(1, 0), Position(2, 0))
    mailbox.deliver([change(600_000)], Position(2, 0), Position(3, 0))
    mailbox.deliver([change(1)], Position(3, 0), Position(4, 0))

    assert [len(kept.key["message"]) for kept in mailbox._unread] == [1_500_000]
    assert mailbox.upto == Position(2, 0)


async def test_mailbox_that_raises_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    mailboxes, owned, every = Mailboxes(), Interest(BotLog, uid=2), Interest(BotLog)
    covers = Interest.covers

    def faulty(self: Interest, change: Change) -> bool:
        if self is owned:
            raise ZeroDivisionError
        return covers(self, change)

    monkeypatch.setattr(Interest, "covers", faulty)
    start = Position(1, 0)
    with mailboxes.opened(owned, start) as failing, mailboxes.opened(every, start) as other:
        mailboxes.deliver([change(1)], start, Position(2, 0))
        assert await other.take() == [change(1)]
        with pytest.raises(ZeroDivisionError):
            await failing.take()
