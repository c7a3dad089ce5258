"""The fields that the events of all row streams have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import strawberry

from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.entities import Key, entity_of
from fullon_graphql.engine.model.relations import Relation
from fullon_graphql.schema.support.enums import described
from fullon_graphql.services.change_feed.table import ChangeKind

described(
    ChangeKind,
    "Kind of a row change.",
    {
        ChangeKind.CREATED: "The row was created, or its ownership moved to you.",
        ChangeKind.UPDATED: "The row was updated.",
        ChangeKind.DELETED: "The row was deleted, or its ownership moved away from you.",
        ChangeKind.SNAPSHOT: "Not a change: a row as it is at the start of a stream with `snapshot: true`.",
        ChangeKind.SNAPSHOT_END: "All rows have been sent; changes since the start follow. It has no row.",
    },
)


@strawberry.type
class RowEvent:
    """A committed change of a row."""

    cursor: str = strawberry.field(
        description="Position of the event. Pass the newest one as `after` to resume the stream after it."
    )
    kind: ChangeKind = strawberry.field(description="Kind of the change.")
    row_id: strawberry.ID | None = strawberry.field(
        description="Global id of the row, also of a deleted one: the key under which a client stores it. Null for"
        " SNAPSHOT_END.",
        default=None,
    )
    key: strawberry.Private[Key | None]
    """The key of the row; None if it is deleted."""
    at: strawberry.Private[float]
    """Unix seconds of PostgreSQL's clock when the row was written, shortly before the commit."""


@dataclass(frozen=True, eq=False)
class ToChangedRow(Relation):
    """From an event to its row."""

    def key_from(self, parent: object) -> Key | None:
        """The key of the row, or None if it is deleted."""
        assert isinstance(parent, RowEvent)
        return parent.key


def changed_row(type_: type[Any], description: str) -> Any:
    """The field of an event for its row, as stored when the event is sent; null if the caller may not see it."""
    entity = entity_of(type_)
    return to_one(description, ToChangedRow(entity.name, entity.key_names, entity.key))
