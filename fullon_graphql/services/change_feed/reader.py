"""The change feed as it happens: one reader per process, however many listen.

PostgreSQL's notifications say when to look. Where to look from, the reader knows itself, so that neither a lost
notification nor a lost connection loses a change, or doubles one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

import asyncpg
import structlog

from fullon_graphql.database import Database
from fullon_graphql.errors import CursorExpired, FullonError, ServiceUnavailable
from fullon_graphql.models import triggers
from fullon_graphql.services.change_feed.table import BATCH, EDGE, READ_ALL, Change, Interest, Position, Reading, stored

log = structlog.get_logger(__name__)

IDLE_PAUSE: Final = 5.0
"""Seconds until the reader looks although nothing was notified."""
FIRST_PAUSE: Final = 0.02
SLOWEST_PAUSE: Final = 2.0
"""Seconds between looks for what an older transaction holds up, and between attempts to connect: doubled each time."""
MAILBOX_SIZE: Final = 2_000
"""Unread changes that are kept for one listener. One that is further behind reads them from the table."""


class Mailbox:
    """What one listener has yet to read of what has come since `start`."""

    def __init__(self, interest: Interest, start: Position) -> None:
        self.upto = start
        """Everything up to here that is of interest has been put in."""
        self._interest = interest
        self._unread: list[Change] = []
        self._full = False
        self._failure: FullonError | None = None
        self._arrived = asyncio.Event()

    def put(self, changes: Sequence[Change], upto: Position) -> None:
        """Keep what is of interest. Once something had no room, nothing more is taken."""
        wanted = [change for change in changes if self._interest.covers(change)]
        self._full = self._full or len(self._unread) + len(wanted) > MAILBOX_SIZE
        if not self._full:
            self._unread += wanted
            self.upto = upto
        if wanted:
            self._arrived.set()

    def fail(self, failure: FullonError) -> None:
        """Let the listener end with an error."""
        self._failure = failure
        self._arrived.set()

    async def take(self) -> list[Change]:
        """Wait for changes and take them; none where the mailbox is full, and empty by now."""
        if not self._full:
            await self._arrived.wait()
        if self._failure:
            raise self._failure
        self._arrived.clear()
        taken, self._unread = self._unread, []
        return taken


class ChangeFeed:
    """Use as a context manager around the life of the process; `follow` inside it."""

    def __init__(self, database: Database, patience: float) -> None:
        self._database = database
        self._patience = patience
        self._mailboxes: set[Mailbox] = set()
        self._position: Position | None = None
        self._started = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    @property
    def listeners(self) -> int:
        """How many follow the feed."""
        return len(self._mailboxes)

    async def follow(self, interest: Interest, after: Position | None = None) -> AsyncGenerator[Sequence[Change], None]:
        """Every change of `interest` once, in order: all since `after`, else from now on.

        Nothing at all is yielded where all has been told that was there before; what follows has just happened.

        A listener that is slower than the changes come costs bounded memory: what has no room for it in memory is read
        from the table when it gets there.

        Raises:
            CursorExpired: what comes after the position has been pruned.
            ServiceUnavailable: the database does not answer, or nobody tells of this table's changes.
        """
        await self._refuse_unwatched(triggers.qualified(interest.table))
        start = await self._where_we_are()
        position = after or start
        while True:
            with self._mailbox(interest) as mailbox:
                # What comes into the mailbox meanwhile may be read here as well; it is left out below.
                while found := await stored(self._database, interest, position):
                    yield found
                    position = found[-1].position
                yield ()
                while taken := await mailbox.take():
                    if fresh := [change for change in taken if change.position > position]:
                        yield fresh
                position = max(position, mailbox.upto)

    async def _refuse_unwatched(self, table: str) -> None:
        if not await self._database.records(triggers.IS_WATCHED, table):
            message = f"Nothing tells of changes in `{table}`. An operator mends it: fullon-graphql db install-feed"
            raise ServiceUnavailable("postgres", message)

    async def _where_we_are(self) -> Position:
        """Where the reader is; it is started by the first who asks."""
        if self._reader is None:
            self._reader = asyncio.create_task(self._keep_reading(), name="change feed")
        try:
            async with asyncio.timeout(self._patience):
                await self._started.wait()
        except TimeoutError as error:
            raise ServiceUnavailable("postgres") from error
        assert self._position is not None, "it has started"
        return self._position

    @contextmanager
    def _mailbox(self, interest: Interest) -> Iterator[Mailbox]:
        """A mailbox for everything from where the reader is now."""
        assert self._position is not None, "it has started"
        mailbox = Mailbox(interest, self._position)
        self._mailboxes.add(mailbox)
        try:
            yield mailbox
        finally:
            self._mailboxes.discard(mailbox)

    async def _keep_reading(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                async with self._database.dedicated_connection("changes") as connection:
                    pause = FIRST_PAUSE
                    await self._read(connection)
            except Exception as error:  # whatever it is, all who listen depend on the next attempt
                log.warning("changes.disconnected", error=repr(error), listeners=self.listeners)
            await asyncio.sleep(pause)
            pause = min(pause * 2, SLOWEST_PAUSE)

    async def _read(self, connection: asyncpg.Connection) -> None:
        """Look, tell, and wait for the next reason to look, until the connection breaks."""
        news = asyncio.Event()
        await connection.add_listener(triggers.CHANNEL, lambda *_: news.set())
        connection.add_termination_listener(lambda *_: news.set())
        self._position = self._position or Position(await connection.fetchval(EDGE), 0)
        self._started.set()
        pause = FIRST_PAUSE
        while True:
            news.clear()
            pending = await self._tell_what_is_new(connection)
            pause = min(pause * 2, SLOWEST_PAUSE) if pending else FIRST_PAUSE
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause if pending else IDLE_PAUSE):
                    await news.wait()

    async def _tell_what_is_new(self, connection: asyncpg.Connection) -> bool:
        """Put everything new into the mailboxes; True where there is more that may not be told yet."""
        while True:
            assert self._position is not None, "it has started"
            try:
                reading = Reading.of(await connection.fetch(READ_ALL, *self._position))
            except CursorExpired as failure:  # nobody could be reached for longer than changes are kept
                reading = Reading([], Position(await connection.fetchval(EDGE), 0), pending=False)
                for mailbox in self._mailboxes:
                    mailbox.fail(failure)
            self._position = reading.upto
            for mailbox in self._mailboxes:
                mailbox.put(reading.changes, reading.upto)
            if len(reading.changes) < BATCH:
                return reading.pending
