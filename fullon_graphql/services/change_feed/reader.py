"""The change feed of one worker: one reader, however many subscribers.

The reader polls while there is a subscriber and stops after the last one. As the leader of the relay it reads the
table, otherwise it receives the leader's batches. Its position is the cursor of the last delivery, so a lost
connection or message neither loses a change nor doubles one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

import asyncpg
from redis.asyncio import Redis

from fullon_graphql.background import BackgroundTask, BackgroundTasks, Ready
from fullon_graphql.database import Database
from fullon_graphql.errors import CursorExpired, ServiceUnavailable
from fullon_graphql.models import triggers
from fullon_graphql.services.change_feed.mailbox import Mailboxes
from fullon_graphql.services.change_feed.relay import Relay
from fullon_graphql.services.change_feed.table import EDGE, Batch, Change, Interest, Position, read_batch, stored

BUSY_PAUSE: Final = 0.01
QUIET_PAUSE: Final = 0.03
"""Seconds between two polls, shortly after a change and otherwise."""
BUSY_SECONDS: Final = 1.0
"""Seconds after a change in which the shorter pause applies."""


class ChangeFeed:
    """Use as a context manager around the life of the worker; `follow` inside it."""

    def __init__(
        self, database: Database, redis: Redis, timeout_seconds: float, tasks: BackgroundTasks | None = None
    ) -> None:
        self._tasks = tasks or BackgroundTasks()
        self._database = database
        self._relay = Relay(redis)
        self._timeout_seconds = timeout_seconds
        self._mailboxes = Mailboxes()
        self._followers = 0
        self._wanted = asyncio.Event()
        self._position: Position | None = None
        self._started = asyncio.Event()
        self._reader: BackgroundTask | None = None
        self._busy_until = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader:
            await self._tasks.stop(self._reader)
            await self._relay.resign()

    @property
    def listeners(self) -> int:
        """Number of subscribers that wait for new changes."""
        return len(self._mailboxes)

    async def follow(self, interest: Interest, after: Position | None = None) -> AsyncGenerator[Sequence[Change], None]:
        """Every change of `interest` once and in order: all changes after `after`, or all new ones.

        An empty sequence is yielded once the stored changes have been delivered; all later ones are new.

        A slow subscriber uses bounded memory: changes that do not fit into its mailbox are read from the table.

        Raises:
            CursorExpired: changes after the position were pruned.
            ServiceUnavailable: the database does not answer, or the table has no trigger.
        """
        for table in (interest.table, *interest.further):
            await self._require_trigger(triggers.qualified(table))
        with self._follower():
            start = await self._current_position()
            position = after or start
            while True:
                assert self._position is not None, "it has a follower"
                with self._mailboxes.opened(interest, self._position) as mailbox:
                    # Changes that reach the mailbox meanwhile may be read here too; they are left out below.
                    while found := await stored(self._database, interest, position):
                        yield found
                        position = found[-1].position
                    yield ()
                    while taken := await mailbox.take():
                        if fresh := [change for change in taken if change.position > position]:
                            yield fresh
                    position = max(position, mailbox.upto)

    async def _require_trigger(self, table: str) -> None:
        if not await self._database.records(triggers.IS_WATCHED, table):
            message = f"Changes of `{table}` are not recorded. Run `fullon-graphql db install-feed`."
            raise ServiceUnavailable("postgres", message)

    @contextmanager
    def _follower(self) -> Iterator[None]:
        """Keep the reader running during the block."""
        self._followers += 1
        self._wanted.set()
        if self._reader is None:
            self._reader = self._tasks.start("change feed", self._run)
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers:
                self._wanted.clear()

    async def _current_position(self) -> Position:
        """The reader's position, once it has started."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._started.wait()
        except TimeoutError as error:
            raise ServiceUnavailable("postgres") from error
        assert self._position is not None, "the reader has started"
        return self._position

    async def _run(self, ready: Ready) -> None:
        while True:
            if not self._followers:
                ready()  # a failure without subscribers affects nothing
            await self._wanted.wait()
            async with self._database.dedicated_connection("changes") as connection:
                await self._read_while_wanted(connection, ready)

    async def _read_while_wanted(self, connection: asyncpg.Connection, ready: Ready) -> None:
        """Deliver changes until the last subscriber leaves or the connection breaks."""
        await self._relay.campaign()
        if self._position is None:
            self._position = Position(await connection.fetchval(EDGE), 0)
        self._started.set()
        while self._followers:
            if self._relay.is_leader:
                batch = await self._read_table(connection)
                await self._relay.publish(batch)
                await self._pause(batch)
            elif self._relay.is_alone:
                await self._pause(await self._read_table(connection))
                await self._relay.retry()
            else:
                batch_received = await self._relay.receive()
                if batch_received is None or batch_received.after > self._position:
                    await self._read_table(connection)
                else:
                    self._deliver(batch_received)
            ready()
        self._started.clear()
        self._position = None
        await self._relay.resign()

    async def _read_table(self, connection: asyncpg.Connection) -> Batch:
        """Read the next batch from the table and deliver it."""
        assert self._position is not None, "the reader has started"
        try:
            batch = await read_batch(connection, self._position)
        except CursorExpired as failure:  # disconnected for longer than changes are kept
            edge = Position(await connection.fetchval(EDGE), 0)
            batch = Batch(edge, edge, [])
            self._mailboxes.fail(failure)
            self._position = edge
        self._deliver(batch)
        return batch

    def _deliver(self, batch: Batch) -> None:
        """Deliver the changes of a batch that begins at or before the current position."""
        assert self._position is not None, "the reader has started"
        after, self._position = self._position, max(self._position, batch.upto)
        self._mailboxes.deliver([change for change in batch.changes if change.position > after], after, self._position)

    async def _pause(self, batch: Batch) -> None:
        """Wait until the next poll: not at all after a full batch."""
        now = asyncio.get_running_loop().time()
        if batch.changes:
            self._busy_until = now + BUSY_SECONDS
        if not batch.is_full:
            await asyncio.sleep(BUSY_PAUSE if now < self._busy_until else QUIET_PAUSE)
