"""The change feed as its subscribers receive it: every committed change once, in one order, despite every fault."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import hypothesis
import pytest
from hypothesis import strategies as st
from redis.asyncio import Redis

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.embedded.engines import postgres
from fullon_graphql.embedded.engines.data_folder import socket_folder
from fullon_graphql.errors import CursorExpired, ServiceUnavailable
from fullon_graphql.models import Order
from fullon_graphql.models.migrate import create_databases, upgrade
from fullon_graphql.models.triggers import TRIGGER
from fullon_graphql.services.change_feed import mailbox
from fullon_graphql.services.change_feed.pruning import edge
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.change_feed.table import Change, ChangeKind, Interest, Position
from tests.fixtures.eventually import eventually, eventually_equal

ORDERS = Interest(Order)
INSERT = (
    "INSERT INTO orders (order_id, bot_id, uid, ex_id, cat_ex_id, exchange, symbol, order_type, side, volume, status, "
    "reason) VALUES ($1, $2, $3, 1, 1, 'kraken', 'BTC/USD', 'limit', 'buy', 1, 'New', '')"
)
READERS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'fullon_graphql:changes'"
START = Position(0, 0)
TIMEOUT = 60
"""Seconds for steps that take milliseconds if nothing is wrong."""


async def insert(connection: asyncpg.Connection, order_id: int, uid: int = 2, bot_id: int = 7) -> None:
    await connection.execute(INSERT, order_id, bot_id, uid)


async def committed(connection: asyncpg.Connection, after: Position = START) -> list[Position]:
    """The positions of the changes of orders in the table, in order."""
    rows = await connection.fetch(
        "SELECT xid, seq FROM fullon_graphql.changes WHERE entity = 'orders' AND (xid, seq) > ($1, $2) "
        "ORDER BY xid, seq",
        *after,
    )
    return [Position(*row) for row in rows]


class Subscriber:
    """Collects the changes that a feed delivers."""

    def __init__(self, feed: ChangeFeed, interest: Interest, after: Position | None) -> None:
        self.received: list[Change] = []
        self.task = asyncio.create_task(self._follow(feed, interest, after))

    @property
    def orders(self) -> list[int]:
        """The ids of the changed orders."""
        return [change.key["order_id"] for change in self.received]

    @property
    def positions(self) -> list[Position]:
        return [change.position for change in self.received]

    async def wait_for(self, count: int) -> None:
        """Wait until `count` changes have been received."""
        await eventually(lambda: len(self.received) >= count or self.task.done(), TIMEOUT)
        if self.task.done():
            self.task.result()

    async def _follow(self, feed: ChangeFeed, interest: Interest, after: Position | None) -> None:
        async with aclosing(feed.follow(interest, after)) as batches:
            async for batch in batches:
                self.received += batch


@asynccontextmanager
async def subscribed(
    feed: ChangeFeed, interest: Interest = ORDERS, after: Position | None = None
) -> AsyncIterator[Subscriber]:
    """A subscriber to all changes from the beginning of the block."""
    before = feed.listeners
    subscriber = Subscriber(feed, interest, after)
    try:
        await eventually(lambda: feed.listeners > before or subscriber.task.done(), TIMEOUT)
        yield subscriber
    finally:
        subscriber.task.cancel()
        await asyncio.wait([subscriber.task])


@pytest.fixture
async def feed(database: Database, redis: Redis) -> AsyncIterator[ChangeFeed]:
    async with ChangeFeed(database, redis, TIMEOUT) as feed:
        yield feed


@pytest.fixture
async def writers(settings: Settings) -> AsyncIterator[list[asyncpg.Connection]]:
    """Three connections in place of the platform's programs."""
    async with AsyncExitStack() as stack:
        connections = [await asyncpg.connect(settings.database_url) for _ in range(3)]
        for connection in connections:
            stack.push_async_callback(connection.close)
        yield connections


@pytest.fixture
def writer(writers: list[asyncpg.Connection]) -> asyncpg.Connection:
    return writers[0]


async def test_changes_are_delivered_as_they_happen(feed: ChangeFeed, writer: asyncpg.Connection) -> None:
    async with subscribed(feed) as subscriber:
        await insert(writer, 1)
        await subscriber.wait_for(1)
        await writer.execute("UPDATE orders SET status = 'open'")
        await subscriber.wait_for(2)
        await writer.execute("DELETE FROM orders")
        await subscriber.wait_for(3)

    assert [change.kind for change in subscriber.received] == [
        ChangeKind.CREATED,
        ChangeKind.UPDATED,
        ChangeKind.DELETED,
    ]
    assert {(change.key["order_id"], change.uid, change.bot_id) for change in subscriber.received} == {(1, 2, 7)}


async def test_earlier_changes_are_not_delivered_without_a_cursor(
    feed: ChangeFeed, database: Database, writer: asyncpg.Connection
) -> None:
    await insert(writer, 1)
    [before] = await committed(writer)

    async def is_over() -> bool:
        return await edge(database) > before.xid

    await eventually(is_over, TIMEOUT)  # other tests write to this server
    async with subscribed(feed) as subscriber:
        await insert(writer, 2)
        await subscriber.wait_for(1)
    assert subscriber.orders == [2]


async def test_transactions_are_delivered_in_the_order_they_began(
    feed: ChangeFeed, writers: list[asyncpg.Connection]
) -> None:
    early, late, observer = writers
    async with subscribed(feed) as subscriber:
        await early.execute("BEGIN")
        await insert(early, 1)
        await insert(late, 2)  # commits at once, with a higher number
        await early.execute("COMMIT")
        await subscriber.wait_for(2)
        await insert(observer, 3)
        await subscriber.wait_for(3)

    assert subscriber.orders == [1, 2, 3]
    assert subscriber.positions == await committed(observer)


async def test_smaller_number_that_is_committed_later_is_delivered(
    feed: ChangeFeed, writers: list[asyncpg.Connection]
) -> None:
    early, late, observer = writers
    async with subscribed(feed) as subscriber:
        await early.execute("BEGIN")
        await early.fetchval("SELECT pg_current_xact_id()")
        await late.execute("BEGIN")
        await insert(late, 2)  # draws the first number in the second transaction
        await insert(early, 1)
        await early.execute("COMMIT")
        await subscriber.wait_for(1)
        assert subscriber.orders == [1]  # the second transaction is still running
        await late.execute("COMMIT")
        await subscriber.wait_for(2)

    assert subscriber.orders == [1, 2]
    assert subscriber.positions[0].seq > subscriber.positions[1].seq
    assert subscriber.positions == await committed(observer)


async def test_change_held_back_by_an_older_transaction_is_delivered_after_its_rollback(
    feed: ChangeFeed, writers: list[asyncpg.Connection]
) -> None:
    early, late, _ = writers
    async with subscribed(feed) as subscriber:
        await early.execute("BEGIN")
        await insert(early, 1)
        await insert(late, 2)
        await early.execute("ROLLBACK")
        await subscriber.wait_for(1)
    assert subscriber.orders == [2]


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from(["insert", "insert", "update", "delete", "savepoint", "back", "end", "undo"])
    ),
    max_size=40,
)
ORDER_IDS = itertools.count(1)


@hypothesis.given(steps=STEPS)
@hypothesis.settings(
    max_examples=40, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
async def test_stream_equals_the_table_for_any_interleaving(
    feed: ChangeFeed, writers: list[asyncpg.Connection], steps: list[tuple[int, str]]
) -> None:
    """Writers begin, write, return to savepoints, commit and roll back in any order."""
    async with subscribed(feed) as subscriber:
        await insert(writers[0], next(ORDER_IDS))
        await subscriber.wait_for(1)
        [start] = subscriber.positions
        rows: list[int | None] = [None, None, None]
        for index, step in steps:
            await act(writers[index], rows, index, step)
        for connection in writers:
            await end(connection, "COMMIT")
        expected = await committed(writers[0], start)
        await subscriber.wait_for(1 + len(expected))

    assert subscriber.positions == [start, *expected]


async def act(connection: asyncpg.Connection, rows: list[int | None], index: int, step: str) -> None:
    """One step of one writer, on the row it inserted last, so that writers never wait for each other."""
    if not connection.is_in_transaction():
        await connection.execute("BEGIN")
        await connection.execute("SAVEPOINT here")
    match step:
        case "insert":
            rows[index] = next(ORDER_IDS)
            await insert(connection, rows[index] or 0)
        case "update":
            await connection.execute("UPDATE orders SET status = status WHERE order_id = $1", rows[index])
        case "delete":
            await connection.execute("DELETE FROM orders WHERE order_id = $1", rows[index])
        case "savepoint":
            await connection.execute("SAVEPOINT here")
        case "back":
            await connection.execute("ROLLBACK TO here")
        case "end":
            await end(connection, "COMMIT")
        case _:
            await end(connection, "ROLLBACK")


async def end(connection: asyncpg.Connection, how: str) -> None:
    if connection.is_in_transaction():
        await connection.execute(how)


async def test_no_change_is_lost_or_doubled_over_a_broken_connection(
    settings: Settings, database: Database, redis: Redis, writers: list[asyncpg.Connection]
) -> None:
    async with (
        ChangeFeed(database, redis, TIMEOUT) as one,
        ChangeFeed(database, redis, TIMEOUT) as other,
        AsyncExitStack() as stack,
    ):
        live = [await stack.enter_async_context(subscribed(each)) for each in (one, other)]
        resumed: list[tuple[Position, Subscriber]] = []
        numbers = itertools.count(1)
        stopping = asyncio.Event()
        writing = [asyncio.create_task(write_until(connection, numbers, stopping)) for connection in writers]
        for _ in range(6):
            await live[0].wait_for(len(live[0].received) + 5)
            after = random.choice(live[0].positions)  # any position
            resumed.append((after, await stack.enter_async_context(subscribed(other, after=after))))
            if len(resumed) == 3:
                await database.records(f"SELECT pg_terminate_backend(pid) {READERS}")
        stopping.set()
        await asyncio.gather(*writing)

        expected = await committed(writers[0])
        for subscriber in live:
            await subscriber.wait_for(len(expected))
            assert subscriber.positions == expected
        for after, subscriber in resumed:
            rest = [position for position in expected if position > after]
            await subscriber.wait_for(len(rest))
            assert subscriber.positions == rest


async def write_until(connection: asyncpg.Connection, numbers: itertools.count[int], stopping: asyncio.Event) -> None:
    for step in itertools.count():
        if stopping.is_set():
            return
        await connection.execute("BEGIN")
        for _ in range(step % 4):
            await insert(connection, next(numbers))
        await asyncio.sleep(0)
        await connection.execute("ROLLBACK" if step % 5 == 0 else "COMMIT")


async def test_stream_resumes_after_any_of_its_changes(feed: ChangeFeed, writer: asyncpg.Connection) -> None:
    async with subscribed(feed) as subscriber:
        async with writer.transaction():
            for number in range(1, 4):
                await insert(writer, number)
        for number in range(4, 7):
            await insert(writer, number)
        await subscriber.wait_for(6)
    for place, position in enumerate(subscriber.positions, start=1):
        async with subscribed(feed, after=position) as again:
            await insert(writer, 100 + place)
            await again.wait_for(6 - place + place)
        assert again.orders == [*range(place + 1, 7), *range(101, 101 + place)]


async def test_slow_subscriber_reads_the_overflow_of_its_mailbox_from_the_table(
    feed: ChangeFeed, writer: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "MAX_CHANGES", 3)
    async with asyncio.timeout(TIMEOUT), aclosing(feed.follow(ORDERS)) as slow, subscribed(feed) as quick:
        first = asyncio.ensure_future(anext(slow))
        await eventually(lambda: feed.listeners == 2, TIMEOUT)
        await insert(writer, 1)
        received = list(await first)
        for number in range(2, 21):
            await insert(writer, number)
            await quick.wait_for(number)  # the mailbox of the slow subscriber is full now
        for number in range(21, 41):  # more changes arrive while it reads
            await insert(writer, number)
            await quick.wait_for(number)
            received += await anext(slow)
        while len(received) < 40:
            received += await anext(slow)

    assert [change.key["order_id"] for change in received] == [*range(1, 41)]


async def test_transaction_larger_than_a_batch_is_delivered_completely(
    feed: ChangeFeed, writer: asyncpg.Connection
) -> None:
    async with subscribed(feed) as subscriber:
        async with writer.transaction():
            await writer.executemany(INSERT, [(number, 7, 2) for number in range(1, 2_501)])
        await subscriber.wait_for(2_500)
    assert subscriber.orders == [*range(1, 2_501)]


async def test_interest_limits_changes_to_owner_and_bot(feed: ChangeFeed, writer: asyncpg.Connection) -> None:
    async with (
        subscribed(feed, Interest(Order, uid=2)) as own,
        subscribed(feed, Interest(Order, uid=2, bot_id=8)) as of_bot,
        subscribed(feed) as everything,
    ):
        await insert(writer, 1, uid=2, bot_id=7)
        await insert(writer, 2, uid=3, bot_id=8)
        await insert(writer, 3, uid=2, bot_id=8)
        await everything.wait_for(3)
        await own.wait_for(2)
        await of_bot.wait_for(1)
        first = everything.positions[0]
        async with subscribed(feed, Interest(Order, uid=2, bot_id=8), after=first) as again:
            await again.wait_for(1)

    assert everything.orders == [1, 2, 3]
    assert own.orders == [1, 3]
    assert of_bot.orders == again.orders == [3]


async def test_changes_of_another_table_are_not_delivered(feed: ChangeFeed, writer: asyncpg.Connection) -> None:
    async with subscribed(feed) as subscriber:
        await writer.execute(
            "INSERT INTO dry_trades (bot_id, uid, ex_id, symbol, side, volume, price, cost, fee) "
            "VALUES (7, 2, 1, 'BTC/USD', 'buy', 1, 1, 1, 0)"
        )
        await insert(writer, 1)
        await subscriber.wait_for(1)
    assert {change.entity for change in subscriber.received} == {"orders"}


async def test_cursor_of_another_database_is_refused(feed: ChangeFeed) -> None:
    with pytest.raises(CursorExpired):
        await anext(feed.follow(ORDERS, Position(2**60, 1)))


async def test_table_without_a_trigger_is_refused(feed: ChangeFeed, writer: asyncpg.Connection) -> None:
    await writer.execute(f"ALTER TABLE orders DISABLE TRIGGER {TRIGGER}")
    try:
        with pytest.raises(ServiceUnavailable, match="install-feed"):
            await anext(feed.follow(ORDERS))
    finally:
        await writer.execute(f"ALTER TABLE orders ENABLE TRIGGER {TRIGGER}")


async def test_reader_disconnected_beyond_the_retention_ends_subscriptions_with_cursor_expired(
    feed: ChangeFeed, writer: asyncpg.Connection
) -> None:
    async with subscribed(feed) as subscriber:
        await writer.execute("INSERT INTO fullon_graphql.changes_floor (xid, seq) VALUES (9e18, 0)")
        await insert(writer, 1)
        with pytest.raises(CursorExpired):
            await subscriber.wait_for(1)


async def test_reader_has_a_connection_only_while_there_are_subscribers(
    database: Database, redis: Redis, writer: asyncpg.Connection
) -> None:
    async def readers() -> int:
        return int(await writer.fetchval(f"SELECT count(*) {READERS}"))

    async with ChangeFeed(database, redis, TIMEOUT) as feed:
        assert await readers() == 0
        async with subscribed(feed):
            assert await readers() == 1
        assert feed.listeners == 0
    await eventually_equal(readers, 0, TIMEOUT)


async def test_follow_fails_if_the_database_cannot_be_reached(redis: Redis) -> None:
    settings = Settings(database_url="postgresql://nobody@127.0.0.1:1/nowhere", db_timeout=0.5)
    database = Database.connect(settings.database_url, "tests", settings)
    async with ChangeFeed(database, redis, settings.db_timeout) as feed:
        with pytest.raises(OSError, match="Connect call failed"):
            await anext(feed.follow(ORDERS))
    await database.close()


async def test_restart_of_postgresql_loses_and_doubles_nothing(redis: Redis) -> None:
    with TemporaryDirectory(prefix="fullon-feed-") as name:
        folder = Path(name)
        with socket_folder(folder) as sockets:
            url = postgres.address(sockets, "restarted")
            settings = Settings(database_url=url, db_pool_size=2, db_timeout=TIMEOUT)
            database = Database.connect(url, "tests", settings)
            async with ChangeFeed(database, redis, TIMEOUT) as feed, AsyncExitStack() as stack:
                with postgres.postgres(folder / "postgres", sockets, durable=False):
                    await asyncio.to_thread(create_databases, url)
                    await asyncio.to_thread(upgrade, url)
                    subscriber = await stack.enter_async_context(subscribed(feed))
                    await write_one(url, 1)
                    await subscriber.wait_for(1)
                with postgres.postgres(folder / "postgres", sockets, durable=False):
                    await write_one(url, 2)
                    await subscriber.wait_for(2)
                    await write_one(url, 3)
                    await subscriber.wait_for(3)
                    async with subscribed(feed, after=subscriber.positions[0]) as again:
                        await again.wait_for(2)
                assert subscriber.orders == [1, 2, 3]
                assert again.orders == [2, 3]
            await database.close()


async def write_one(url: str, order_id: int) -> None:
    connection = await asyncpg.connect(url)
    await insert(connection, order_id)
    await connection.close()
