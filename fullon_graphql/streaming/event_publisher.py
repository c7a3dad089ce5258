"""Row changes for other programs: each becomes a message of NATS JetStream, at least once and in order.

The publisher reads the feed by itself, after the last message that NATS has acknowledged, so neither NATS nor its
absence delays a stream. Of all processes one publishes, which holds an advisory lock of PostgreSQL. The cursor is the
id of a message: JetStream drops one that comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg
import orjson
import structlog

from fullon_graphql.background import Ready
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.database.sole_process import sole_process
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.model.entities import Entity, entities
from fullon_graphql.errors import CursorExpired, SettingsError
from fullon_graphql.models.triggers import WATCHED
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.services.change_feed.table import EDGE, Change, Position, read_batch
from fullon_graphql.streaming.change_keys import key_of_change

if TYPE_CHECKING:
    from nats.js import JetStreamContext

log = structlog.get_logger(__name__)

TASK: Final = "events to NATS"
"""Name of the task in `/health`."""
LOCK: Final = 0x66756C6C6F6E  # "fullon"
"""The advisory lock of the publisher."""
TIMEOUT_SECONDS: Final = 5.0
"""Limit of each exchange with NATS."""
POLL_SECONDS: Final = 0.05
"""Pause after a batch that was not full."""
DUPLICATE_WINDOW_SECONDS: Final = 600.0
STREAM_BYTES: Final = 1024**3
"""Size of a new stream, which then drops its oldest messages."""


class EventPublisher:
    """The publisher of one process, or its standby.

    Raises:
        SettingsError: the extra `nats` is not installed.
    """

    def __init__(self, database: Database, settings: Settings, metrics: Metrics) -> None:
        try:
            import nats
        except ImportError as error:
            raise SettingsError("NATS_URL needs the extra `nats`: pip install 'fullon-graphql[nats]'.") from error
        self._nats = nats
        self._database = database
        self._settings = settings
        self._metrics = metrics
        self._entities = {entity.table.__tablename__: entity for entity in entities() if entity.table in WATCHED}
        self.position: Position | None = None
        """After the last change that NATS has acknowledged to this process; None in a standby."""

    async def run(self, ready: Ready) -> None:
        """Publish until an error or cancellation. Afterwards it may run again."""

        def stand_by() -> None:
            self.position = None  # another process publishes now
            ready()

        async with (
            sole_process(self._database, "events", LOCK, stand_by) as connection,
            self._connected() as stream,
        ):
            await self._publish_all(connection, stream, ready)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[JetStreamContext]:
        """JetStream, with the stream of changes."""
        client = await self._nats.connect(
            self._settings.nats_url.get_secret_value(),
            name="fullon-graphql",
            allow_reconnect=False,  # the task starts again, from the last acknowledged change
            connect_timeout=round(TIMEOUT_SECONDS),
            error_cb=_log_error,
        )
        try:
            stream = client.jetstream(timeout=TIMEOUT_SECONDS)
            await self._require_stream(stream)
            yield stream
        finally:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await client.close()

    async def _require_stream(self, stream: JetStreamContext) -> None:
        """Create the stream if it is absent; an existing one is used as it is."""
        from nats.js.api import DiscardPolicy
        from nats.js.errors import NotFoundError

        try:
            await stream.stream_info(self._settings.nats_stream)
        except NotFoundError:
            await stream.add_stream(
                name=self._settings.nats_stream,
                subjects=[self._subject("*")],
                max_age=self._settings.change_retention_hours * 3600,
                max_bytes=STREAM_BYTES,
                discard=DiscardPolicy.OLD,
                duplicate_window=DUPLICATE_WINDOW_SECONDS,
            )

    async def _publish_all(self, connection: asyncpg.Connection, stream: JetStreamContext, ready: Ready) -> None:
        self.position = await self._start(connection, stream)
        while True:
            try:
                async with asyncio.timeout(self._settings.db_timeout):
                    batch = await read_batch(connection, self.position)
            except CursorExpired:
                log.warning("events.lost", after=self.position.cursor, reason="older changes are no longer stored")
                self._metrics.events_published.add("lost")
                self.position = await _edge(connection)
                continue
            for change in batch.changes:
                await self._publish(stream, change)
                self.position = change.position
            self.position = batch.upto
            ready()
            if not batch.is_full:
                await asyncio.sleep(POLL_SECONDS)

    async def _start(self, connection: asyncpg.Connection, stream: JetStreamContext) -> Position:
        """After the newest message of the stream, or after what this process has published, whichever is later."""
        from nats.js.errors import NotFoundError

        try:
            newest = await stream.get_last_msg(self._settings.nats_stream, self._subject("*"))
            stored = Position.parse(orjson.loads(newest.data or b"{}")["cursor"])
        except NotFoundError:
            return self.position or await _edge(connection)
        return max(stored, self.position or stored)

    async def _publish(self, stream: JetStreamContext, change: Change) -> None:
        """Publish one change, and wait until NATS has acknowledged it. Rows without a global id are left out."""
        entity = self._entities.get(change.entity)
        if entity is None:
            return
        cursor = change.position.cursor
        message = orjson.dumps({"__typename": entity.name, "id": _global_id(entity, change), "cursor": cursor})
        acknowledged = await stream.publish(
            self._subject(entity.name), message, timeout=TIMEOUT_SECONDS, headers={"Nats-Msg-Id": cursor}
        )
        self._metrics.events_published.add("duplicate" if acknowledged.duplicate else "stored")

    def _subject(self, name: str) -> str:
        return f"{self._settings.nats_subject}.{name}"


def _global_id(entity: Entity, change: Change) -> str | None:
    """The id of the changed row, also of a deleted one."""
    key = key_of_change(entity, change)
    return None if key is None else opaque_ids.encode(entity.name, *key)


async def _edge(connection: asyncpg.Connection) -> Position:
    return Position(await connection.fetchval(EDGE), 0)


async def _log_error(error: Exception) -> None:
    log.info("events.connection_error", error=repr(error))
