"""Snapshots of row streams: the rows with which a stream begins, and the cursors of their events.

The position of the feed is taken before the keys are read, and the rows are read after it, so each of them has all
changes up to the position. All later changes follow as events. A row that is changed meanwhile comes twice, with the
same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from sqlalchemy import ColumnElement

from fullon_graphql.context import Context
from fullon_graphql.engine.lists import opaque_ids, ordering
from fullon_graphql.engine.model.entities import Entity, Key
from fullon_graphql.errors import BadUserInput, shortened
from fullon_graphql.services.change_feed.table import CURSOR, Position

LARGEST: Final = 10_000
"""The most rows of a snapshot, whose keys are in memory until it has been sent."""


@dataclass(frozen=True)
class SnapshotCursor:
    """The cursor of a row of a snapshot: the position at which it was begun, and the key of the row."""

    position: Position
    key: Key

    @property
    def text(self) -> str:
        """The cursor for clients."""
        return f"{self.position.cursor}.{opaque_ids.encode(*self.key)}"

    @classmethod
    def parse(cls, cursor: str, entity: Entity) -> Self:
        """The cursor of a text with a dot.

        Raises:
            BadUserInput: it is not the cursor of a row of this entity.
        """
        position, _, row = cursor.partition(".")
        try:
            key = opaque_ids.read(opaque_ids.decode(row), entity.key)
        except ValueError:
            key = None
        if key is None:
            raise BadUserInput(
                f"{shortened(cursor)} is not a cursor of this stream; pass the `cursor` of the last event unchanged.",
                field="after",
            )
        return cls(Position.parse(position), key)


def position_of(cursor: str) -> Position:
    """The change that rows of the event with this cursor must include."""
    return Position.parse(cursor.partition(".")[0])


def order_of(cursor: str) -> Position:
    """The sort key of a cursor. Rows of a snapshot precede all changes: with one of them no change has been seen."""
    return Position(0, 0) if "." in cursor else Position.parse(cursor)


async def current_position(context: Context) -> Position:
    """The position of the feed that all rows read from now on include."""
    [[cursor]] = await context.database.records(CURSOR)
    return Position.parse(cursor)


async def visible_keys(
    context: Context, entity: Entity, conditions: Sequence[ColumnElement[bool]], after: Key | None
) -> list[Key]:
    """The keys of all rows that the caller may see and that meet the conditions, in order, from `after` on.

    Raises:
        BadUserInput: there are more than `LARGEST`.
    """
    columns = [entity.columns[name].label(name) for name in entity.key_names]
    statement = entity.visible(context.caller).with_only_columns(*columns, maintain_column_froms=True)
    if after is not None:
        statement = statement.where(ordering.beyond(entity, (), after, before=False))
    sorting = ordering.sorting(entity, (), entity.columns, backward=False)
    rows = await context.database.rows(statement.where(*conditions).order_by(*sorting).limit(LARGEST + 1))
    if len(rows) > LARGEST:
        raise BadUserInput(
            f"The snapshot has more than {LARGEST} rows. Narrow it, or read the list by pages and subscribe after the"
            " `cursor` of the first page.",
            field="snapshot",
        )
    return [tuple(row) for row in rows]
