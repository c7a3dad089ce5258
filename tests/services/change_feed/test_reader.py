"""The change feed as its listeners see it: every committed change once and in one order, whatever happens meanwhile."""

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
BEGINNING = Position(0, 0)
PATIENCE = 60
"""Seconds for what takes milliseconds, unless something is wrong."""


async def insert(connection: asyncpg.Connection, order_id: int, uid: int = 2, bot_id: int = 7) -> None:
    await connection.execute(INSERT, order_id, bot_id, uid)


async def committed(connection: asyncpg.Connection, after: Position = BEGINNING) -> list[Position]:
    """What the table says has happened to orders, in order."""
    rows = await connection.fetch(
        "SELECT xid, seq FROM fullon_graphql.changes WHERE entity = 'orders' AND (xid, seq) > ($1, $2) "
        "ORDER BY xid, seq",
        *after,
    )
    return [Position(*row) for row in rows]


class Listener:
    """Hears what a feed tells."""

    def __init__(self, feed: ChangeFeed, interest: Interest, after: Position | None) -> None:
        self.heard: list[Change] = []
        self.task = asyncio.create_task(self._listen(feed, interest, after))

    @property
    def orders(self) -> list[int]:
        """The orders that the changes were about."""
        return [change.key["order_id"] for change in self.heard]

    @property
    def positions(self) -> list[Position]:
        return [change.position for change in self.heard]

    async def hears(self, count: int) -> None:
        """Wait until so many changes were heard."""
        await eventually(lambda: len(self.heard) >= count or self.task.done(), PATIENCE)
        if self.task.done():
            self.task.result()

    async def _listen(self, feed: ChangeFeed, interest: Interest, after: Position | None) -> None:
        async with aclosing(feed.follow(interest, after)) as batches:
            async for batch in batches:
                self.heard += batch


@asynccontextmanager
async def listening(
    feed: ChangeFeed, interest: Interest = ORDERS, after: Position | None = None
) -> AsyncIterator[Listener]:
    """A listener who hears everything from the beginning of the block on."""
    before = feed.listeners
    listener = Listener(feed, interest, after)
    try:
        await eventually(lambda: feed.listeners > before or listener.task.done(), PATIENCE)
        yield listener
    finally:
        listener.task.cancel()
        await asyncio.wait([listener.task])


@pytest.fixture
async def feed(database: Database, redis: Redis) -> AsyncIterator[ChangeFeed]:
    async with ChangeFeed(database, redis, PATIENCE) as feed:
        yield feed


@pytest.fixture
async def writers(settings: Settings) -> AsyncIterator[list[asyncpg.Connection]]:
    """Three connections of the platform's own programs."""
    async with AsyncExitStack() as stack:
        connections = [await asyncpg.connect(settings.database_url) for _ in range(3)]
        for connection in connections:
            stack.push_async_callback(connection.close)
        yield connections


@pytest.fixture
def writer(writers: list[asyncpg.Connection]) -> asyncpg.Connection:
    return writers[0]


async def test_changes_are_delivered_as_they_happen(feed: ChangeFeed, writer: asyncpg.Connection) -> None:
    async with listening(feed) as listener:
        await insert(writer, 1)
        await listener.hears(1)
        await writer.execute("UPDATE orders SET status = 'open'")
        await listener.hears(2)
        await writer.execute("DELETE FROM orders")
        await listener.hears(3)

    assert [change.kind for change in listener.heard] == [ChangeKind.CREATED, ChangeKind.UPDATED, ChangeKind.DELETED]
    assert {(change.key["order_id"], change.uid, change.bot_id) for change in listener.heard} == {(1, 2, 7)}


async def test_earlier_changes_are_not_delivered_without_a_cursor(
    feed: ChangeFeed, database: Database, writer: asyncpg.Connection
) -> None:
    await insert(writer, 1)
    [before] = await committed(writer)

    async def is_over() -> bool:
        return await edge(database) > before.xid

    await eventually(is_over, PATIENCE)  # other tests write to this server
    async with listening(feed) as listener:
        await insert(writer, 2)
        await listener.hears(1)
    assert listener.orders == [2]


async def test_transactions_are_delivered_in_the_order_they_began(
    feed: ChangeFeed, writers: list[asyncpg.Connection]
) -> None:
    early, late, observer = writers
    async with listening(feed) as listener:
        await early.execute("BEGIN")
        await insert(early, 1)
        await insert(late, 2)  # commits at once, with a higher number
        await early.execute("COMMIT")
        await listener.hears(2)
        await insert(observer, 3)
        await listener.hears(3)

    assert listener.orders == [1, 2, 3]
    assert listener.positions == await committed(observer)


async def test_smaller_number_that_is_committed_later_is_delivered(
    feed: ChangeFeed, writers: list[asyncpg.Connection]
) -> None:
    early, late, observer = writers
    async with listening(feed) as listener:
        await early.execute("BEGIN")
        await early.fetchval("SELECT pg_current_xact_id()")
        await late.execute("BEGIN")
        await insert(late, 2)  # draws the first number in the second transaction
        await insert(early, 1)
        await early.execute("COMMIT")
        await listener.hears(1)
        assert listener.orders == [1]  # the second is running yet
        await late.execute("COMMIT")
        await listener.hears(2)

    assert listener.orders == [1, 2]
    assert listener.positions[0].seq > listener.positions[1].seq
    assert listener.positions == await committed(observer)


async def test_change_held_back_by_an_older_transaction_is_delivered_after_its_rollback(
    feed: ChangeFeed, writers: list[asyncpg.Connection]
) -> None:
    early, late, _ = writers
    async with listening(feed) as listener:
        await early.execute("BEGIN")
        await insert(early, 1)
        await insert(late, 2)
        await early.execute("ROLLBACK")
        await listener.hears(1)
    assert listener.orders == [2]


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from(["insert", "insert", "update", "delete", "savepoint", "back", "end", "undo"])
    ),
    max_size=40,
)
NUMBERS = itertools.count(1)


@hypothesis.given(steps=STEPS)
@hypothesis.settings(
    max_examples=40, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
async def test_stream_equals_the_table_for_any_interleaving(
    feed: ChangeFeed, writers: list[asyncpg.Connection], steps: list[tuple[int, str]]
) -> None:
    """Writers begin, write, go back to savepoints, commit and roll back in any order."""
    async with listening(feed) as listener:
        await insert(writers[0], next(NUMBERS))
        await listener.hears(1)
        [start] = listener.positions
        rows: list[int | None] = [None, None, None]
        for who, step in steps:
            await act(writers[who], rows, who, step)
        for connection in writers:
            await end(connection, "COMMIT")
        expected = await committed(writers[0], start)
        await listener.hears(1 + len(expected))

    assert listener.positions == [start, *expected]


async def act(connection: asyncpg.Connection, rows: list[int | None], who: int, step: str) -> None:
    """One step of one writer, on the row it made last: two writers never wait for each other."""
    if not connection.is_in_transaction():
        await connection.execute("BEGIN")
        await connection.execute("SAVEPOINT here")
    match step:
        case "insert":
            rows[who] = next(NUMBERS)
            await insert(connection, rows[who] or 0)
        case "update":
            await connection.execute("UPDATE orders SET status = status WHERE order_id = $1", rows[who])
        case "delete":
            await connection.execute("DELETE FROM orders WHERE order_id = $1", rows[who])
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
        ChangeFeed(database, redis, PATIENCE) as one,
        ChangeFeed(database, redis, PATIENCE) as other,
        AsyncExitStack() as stack,
    ):
        live = [await stack.enter_async_context(listening(each)) for each in (one, other)]
        resumed: list[tuple[Position, Listener]] = []
        numbers = itertools.count(1)
        enough = asyncio.Event()
        writing = [asyncio.create_task(write_wildly(connection, numbers, enough)) for connection in writers]
        for _ in range(6):
            await live[0].hears(len(live[0].heard) + 5)
            after = random.choice(live[0].positions)  # any will do
            resumed.append((after, await stack.enter_async_context(listening(other, after=after))))
            if len(resumed) == 3:
                await database.records(f"SELECT pg_terminate_backend(pid) {READERS}")
        enough.set()
        await asyncio.gather(*writing)

        expected = await committed(writers[0])
        for listener in live:
            await listener.hears(len(expected))
            assert listener.positions == expected
        for after, listener in resumed:
            rest = [position for position in expected if position > after]
            await listener.hears(len(rest))
            assert listener.positions == rest


async def write_wildly(connection: asyncpg.Connection, numbers: itertools.count[int], enough: asyncio.Event) -> None:
    for step in itertools.count():
        if enough.is_set():
            return
        await connection.execute("BEGIN")
        for _ in range(step % 4):
            await insert(connection, next(numbers))
        await asyncio.sleep(0)
        await connection.execute("ROLLBACK" if step % 5 == 0 else "COMMIT")


async def test_stream_resumes_after_any_of_its_changes(feed: ChangeFeed, writer: asyncpg.Connection) -> None:
    async with listening(feed) as listener:
        async with writer.transaction():
            for number in range(1, 4):
                await insert(writer, number)
        for number in range(4, 7):
            await insert(writer, number)
        await listener.hears(6)
    for place, position in enumerate(listener.positions, start=1):
        async with listening(feed, after=position) as again:
            await insert(writer, 100 + place)
            await again.hears(6 - place + place)
        assert again.orders == [*range(place + 1, 7), *range(101, 101 + place)]


async def test_slow_subscriber_reads_the_overflow_of_its_mailbox_from_the_table(
    feed: ChangeFeed, writer: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "MAX_CHANGES", 3)
    async with asyncio.timeout(PATIENCE), aclosing(feed.follow(ORDERS)) as slow, listening(feed) as quick:
        first = asyncio.ensure_future(anext(slow))
        await eventually(lambda: feed.listeners == 2, PATIENCE)
        await insert(writer, 1)
        heard = list(await first)
        for number in range(2, 21):
            await insert(writer, number)
            await quick.hears(number)  # so the mailbox of the slow one has been filled as well
        for number in range(21, 41):  # more comes while it reads
            await insert(writer, number)
            await quick.hears(number)
            heard += await anext(slow)
        while len(heard) < 40:
            heard += await anext(slow)

    assert [change.key["order_id"] for change in heard] == [*range(1, 41)]


async def test_transaction_larger_than_a_batch_is_delivered_completely(
    feed: ChangeFeed, writer: asyncpg.Connection
) -> None:
    async with listening(feed) as listener:
        async with writer.transaction():
            await writer.executemany(INSERT, [(number, 7, 2) for number in range(1, 2_501)])
        await listener.hears(2_500)
    assert listener.orders == [*range(1, 2_501)]


async def test_interest_limits_changes_to_owner_and_bot(feed: ChangeFeed, writer: asyncpg.Connection) -> None:
    async with (
        listening(feed, Interest(Order, uid=2)) as own,
        listening(feed, Interest(Order, uid=2, bot_id=8)) as of_bot,
        listening(feed) as everything,
    ):
        await insert(writer, 1, uid=2, bot_id=7)
        await insert(writer, 2, uid=3, bot_id=8)
        await insert(writer, 3, uid=2, bot_id=8)
        await everything.hears(3)
        await own.hears(2)
        await of_bot.hears(1)
        first = everything.positions[0]
        async with listening(feed, Interest(Order, uid=2, bot_id=8), after=first) as again:
            await again.hears(1)

    assert everything.orders == [1, 2, 3]
    assert own.orders == [1, 3]
    assert of_bot.orders == again.orders == [3]


async def test_changes_of_another_table_are_not_delivered(feed: ChangeFeed, writer: asyncpg.Connection) -> None:
    async with listening(feed) as listener:
        await writer.execute(
            "INSERT INTO dry_trades (bot_id, uid, ex_id, symbol, side, volume, price, cost, fee) "
            "VALUES (7, 2, 1, 'BTC/USD', 'buy', 1, 1, 1, 0)"
        )
        await insert(writer, 1)
        await listener.hears(1)
    assert {change.entity for change in listener.heard} == {"orders"}


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
    async with listening(feed) as listener:
        await writer.execute("INSERT INTO fullon_graphql.changes_floor (xid, seq) VALUES (9e18, 0)")
        await insert(writer, 1)
        with pytest.raises(CursorExpired):
            await listener.hears(1)


async def test_reader_has_a_connection_only_while_there_are_subscribers(
    database: Database, redis: Redis, writer: asyncpg.Connection
) -> None:
    async def readers() -> int:
        return int(await writer.fetchval(f"SELECT count(*) {READERS}"))

    async with ChangeFeed(database, redis, PATIENCE) as feed:
        assert await readers() == 0
        async with listening(feed):
            assert await readers() == 1
        assert feed.listeners == 0
    await eventually_equal(readers, 0, PATIENCE)


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
            settings = Settings(database_url=url, db_pool_size=2, db_timeout=PATIENCE)
            database = Database.connect(url, "tests", settings)
            async with ChangeFeed(database, redis, PATIENCE) as feed, AsyncExitStack() as stack:
                with postgres.postgres(folder / "postgres", sockets, durable=False):
                    await asyncio.to_thread(create_databases, url)
                    await asyncio.to_thread(upgrade, url)
                    listener = await stack.enter_async_context(listening(feed))
                    await write_one(url, 1)
                    await listener.hears(1)
                with postgres.postgres(folder / "postgres", sockets, durable=False):
                    await write_one(url, 2)
                    await listener.hears(2)
                    await write_one(url, 3)
                    await listener.hears(3)
                    async with listening(feed, after=listener.positions[0]) as again:
                        await again.hears(2)
                assert listener.orders == [1, 2, 3]
                assert again.orders == [2, 3]
            await database.close()


async def write_one(url: str, order_id: int) -> None:
    connection = await asyncpg.connect(url)
    await insert(connection, order_id)
    await connection.close()
