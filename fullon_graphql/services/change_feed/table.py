"""The change feed in the database: changes, their positions, and the statements that read them.

A sequence number is drawn before its transaction commits, so a smaller number may appear after a larger one. All
transactions below the oldest running one have ended, though. Only their changes are read, ordered by (transaction,
number), so no change ever appears before a position that was read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self

import asyncpg

from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, CursorExpired, shortened
from fullon_graphql.models import OWN_SCHEMA, Base
from fullon_graphql.models.triggers import WATCHED, integer_key

BATCH: Final = 500
"""Most changes that one statement reads."""

_CURSOR = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,16})")
_LARGEST = 2**63 - 1
_LONGEST_INTEGER = 25
_OBJECT_BYTES = 300
_INTEGER_KEYS: Mapping[str, str] = {model.__tablename__: integer_key(model) or "" for model in WATCHED}


class ChangeKind(StrEnum):
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"
    SNAPSHOT = "SNAPSHOT"
    """Not a change: a row of the list with which a stream begins. The feed has no such entry."""
    SNAPSHOT_END = "SNAPSHOT_END"


class Position(NamedTuple):
    """A position in the feed: transaction and sequence number. Positions compare in the order of changes."""

    xid: int
    seq: int

    @property
    def cursor(self) -> str:
        """The position as text for clients."""
        return f"{self.xid:x}-{self.seq:x}"

    @classmethod
    def parse(cls, cursor: str) -> Self:
        """The position of a cursor.

        Raises:
            BadUserInput: the text is not a cursor of a stream.
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
    """The key columns and their JSON values. Fractions and integers beyond 64 bits are texts, which are exact."""
    uid: int | None
    """The owner of the row."""
    bot_id: int | None
    at: float
    """Unix seconds of PostgreSQL's clock when the row was written."""

    @classmethod
    def from_record(cls, record: asyncpg.Record) -> Self:
        """The change of one row of the feed."""
        entity, key = record["entity"], record["key"]
        return cls(
            Position(record["xid"], record["seq"]),
            entity,
            ChangeKind(record["operation"]),
            {_INTEGER_KEYS[entity]: record["id"]} if key is None else _parse_key(key),
            record["uid"],
            record["bot_id"],
            record["at"],
        )

    @property
    def size(self) -> int:
        """Approximate memory of the change, in bytes."""
        return _OBJECT_BYTES + sum(len(value) for value in self.key.values() if isinstance(value, str))


@dataclass(frozen=True, slots=True)
class Interest:
    """The changes that a subscriber receives."""

    table: type[Base]
    uid: int | None = None
    """The owner of the rows; None for all rows."""
    bot_id: int | None = None
    """The bot of the rows; None for all rows."""
    further: tuple[type[Base], ...] = ()
    """Further tables, whose changes come in one order with those of `table`."""

    @property
    def names(self) -> list[str]:
        """The names of all its tables."""
        return [table.__tablename__ for table in (self.table, *self.further)]

    def covers(self, change: Change) -> bool:
        """True if the subscriber receives the change."""
        return bool(
            (change.entity == self.table.__tablename__ or (self.further and change.entity in self.names))
            and self.uid in {None, change.uid}
            and self.bot_id in {None, change.bot_id}
        )


def _parse_key(key: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(key, parse_float=str, parse_int=_parse_integer)
    return parsed


def _parse_integer(digits: str) -> int | str:
    number = int(digits) if len(digits) < _LONGEST_INTEGER else _LARGEST + 1
    return number if -_LARGEST <= number <= _LARGEST else digits


_READ = f"""
    SELECT edge.running,
        $1 > edge.running OR EXISTS (SELECT FROM {OWN_SCHEMA}.changes_floor WHERE (xid, seq) > ($1, $2)) AS expired,
        found.*
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS running) AS edge
    LEFT JOIN LATERAL (
        SELECT xid, seq, entity, operation, id, key, uid, bot_id,
            extract(epoch FROM at)::float8 AS at
        FROM {OWN_SCHEMA}.changes
        WHERE (xid, seq) > ($1, $2) AND xid < edge.running {{condition}}
        ORDER BY xid, seq LIMIT {BATCH}
    ) AS found ON true
    ORDER BY found.xid, found.seq
"""  # noqa: S608  # the schema's name is a constant of ours

EDGE: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
"""The oldest running transaction: the position from which only later changes follow."""

CURSOR: Final = f"""
    SELECT coalesce(
        (SELECT to_hex(xid) || '-' || to_hex(seq) FROM {OWN_SCHEMA}.changes
         WHERE xid < ({EDGE}) ORDER BY xid DESC, seq DESC LIMIT 1),
        (SELECT to_hex(xid) || '-' || to_hex(seq) FROM {OWN_SCHEMA}.changes_floor),
        '0-0')
"""  # noqa: S608  # the schema's name is a constant of ours
"""The cursor of the newest change below the oldest running transaction: rows of the same snapshot, or of a later one,
have all changes up to it. A change that was committed keeps its number after a crash, the edge itself may not."""

_READ_ALL: Final = _READ.format(condition="")
_READ_SOME: Final = _READ.format(
    condition="""
        AND entity = ANY($3::text[]) AND ($4::bigint IS NULL OR uid = $4) AND ($5::bigint IS NULL OR bot_id = $5)"""
)


@dataclass(frozen=True, slots=True)
class Batch:
    """All changes after one position and up to another."""

    after: Position
    upto: Position
    changes: Sequence[Change]

    @property
    def is_full(self) -> bool:
        """True if more changes may follow at once."""
        return len(self.changes) >= BATCH


async def read_batch(connection: asyncpg.Connection, after: Position) -> Batch:
    """The changes of all tables after a position.

    Raises:
        CursorExpired: changes after the position were pruned, or it is of another database.
    """
    changes = _changes(await connection.fetch(_READ_ALL, *after))
    # Not up to the oldest running transaction: after a crash or a failover the numbers of transactions that were rolled
    # back may be used again.
    return Batch(after, changes[-1].position if changes else after, changes)


async def stored(database: Database, interest: Interest, after: Position) -> list[Change]:
    """The first changes of `interest` after a position; empty if there are none.

    Raises:
        CursorExpired: changes after the position were pruned, or it is of another database.
    """
    values = (*after, interest.names, interest.uid, interest.bot_id)
    return _changes(await database.records(_READ_SOME, *values))


def _changes(records: Sequence[asyncpg.Record]) -> list[Change]:
    if records[0]["expired"]:
        raise CursorExpired
    return [Change.from_record(record) for record in records if record["seq"] is not None]
