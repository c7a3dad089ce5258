"""The change feed as it stands in the database: what a change is, where it stands, and what comes after it.

A number from a sequence is drawn before its transaction commits, so the newest number is no place to go on from: one
below it may still appear. Every transaction below the oldest that is running has ended for good, though. What is read
here is below that one, in the order of (transaction, number), and nothing ever appears before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self

import asyncpg

from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, CursorExpired, shortened
from fullon_graphql.models import OWN_SCHEMA, Base

BATCH: Final = 500
"""Changes that one statement reads, at most."""

_CURSOR = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,16})")
_LARGEST = 2**63 - 1


class ChangeKind(StrEnum):
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"


class Position(NamedTuple):
    """A place in the feed: the transaction, and the number within it. They compare as changes follow each other."""

    xid: int
    seq: int

    @property
    def cursor(self) -> str:
        """The position as clients know it."""
        return f"{self.xid:x}-{self.seq:x}"

    @classmethod
    def of(cls, cursor: str) -> Self:
        """The position behind a cursor.

        Raises:
            BadUserInput: it is no cursor of a stream.
        """
        found = _CURSOR.fullmatch(cursor)
        position = cls(int(found[1], 16), int(found[2], 16)) if found else cls(-1, -1)
        if not 0 <= min(position) <= max(position) <= _LARGEST:
            raise BadUserInput(
                f"{shortened(cursor)} is not a cursor of a stream; pass the `cursor` of the last event unchanged.",
                field="after",
            )
        return position


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a watched table was created, updated or deleted."""

    position: Position
    entity: str
    """Name of the table."""
    kind: ChangeKind
    key: dict[str, Any]
    """The values of the key columns as JSON has them, fractions as text: so they stay exact."""
    uid: int | None
    """Whose row it is, or was."""
    bot_id: int | None
    at: datetime

    @classmethod
    def read(cls, record: asyncpg.Record) -> Self:
        """The change in one row of the feed."""
        return cls(
            Position(record["xid"], record["seq"]),
            record["entity"],
            ChangeKind(record["operation"]),
            json.loads(record["key"], parse_float=str),
            record["uid"],
            record["bot_id"],
            record["at"],
        )


@dataclass(frozen=True, slots=True)
class Interest:
    """Which changes somebody listens to."""

    table: type[Base]
    uid: int | None = None
    """Whose; None for everybody's."""
    bot_id: int | None = None
    """Of which bot; None for all."""

    def covers(self, change: Change) -> bool:
        """Whether it is one of them."""
        return (
            change.entity == self.table.__tablename__
            and self.uid in {None, change.uid}
            and self.bot_id in {None, change.bot_id}
        )


_READ = f"""
    SELECT edge.running,
        EXISTS (SELECT FROM {OWN_SCHEMA}.changes WHERE xid >= edge.running) AS pending,
        $1 > edge.running OR EXISTS (SELECT FROM {OWN_SCHEMA}.changes_floor WHERE (xid, seq) > ($1, $2)) AS expired,
        found.*
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS running) AS edge
    LEFT JOIN LATERAL (
        SELECT * FROM {OWN_SCHEMA}.changes
        WHERE (xid, seq) > ($1, $2) AND xid < edge.running {{condition}}
        ORDER BY xid, seq LIMIT {BATCH}
    ) AS found ON true
    ORDER BY found.xid, found.seq
"""  # noqa: S608  # the schema's name is a constant of ours

EDGE: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
"""The oldest transaction that is running: where to go on from for whoever wants only what comes from now on."""

READ_ALL: Final = _READ.format(condition="")
_READ_SOME: Final = _READ.format(
    condition="""
        AND entity = $3 AND ($4::bigint IS NULL OR uid = $4) AND ($5::bigint IS NULL OR bot_id = $5)"""
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at the feed has found."""

    changes: list[Change]
    upto: Position
    """Where to go on from: everything up to here is in `changes`."""
    pending: bool
    """True where there are changes that may not be told yet, because an older transaction is still running."""

    @classmethod
    def of(cls, records: Sequence[asyncpg.Record]) -> Self:
        """What the records of `READ_ALL` say.

        Raises:
            CursorExpired: what comes next has been pruned.
        """
        first = records[0]
        if first["expired"]:
            raise CursorExpired
        changes = [Change.read(record) for record in records if record["seq"] is not None]
        upto = changes[-1].position if len(changes) == BATCH else Position(first["running"], 0)
        return cls(changes, upto, first["pending"])


async def stored(database: Database, interest: Interest, after: Position) -> list[Change]:
    """The first changes after a position, none where there are no more.

    Raises:
        CursorExpired: `after` is older than what is kept, or of another database.
    """
    values = (*after, interest.table.__tablename__, interest.uid, interest.bot_id)
    return Reading.of(await database.records(_READ_SOME, *values)).changes
