"""What every stream of changes has in common."""

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
    "What happened to a row.",
    {
        ChangeKind.CREATED: "It is new, or new to its owner.",
        ChangeKind.UPDATED: "It was written again.",
        ChangeKind.DELETED: "It is gone, or belongs to somebody else now.",
    },
)


@strawberry.type
class RowEvent:
    """What happened to a row: the fields that the event of every entity has."""

    cursor: str = strawberry.field(
        description="Give the newest one that came as `after`, and the stream goes on with what follows it."
    )
    kind: ChangeKind = strawberry.field(description="What happened to the row.")
    key: strawberry.Private[Key | None]
    """The key of the row; None where it is gone."""


@dataclass(frozen=True, eq=False)
class ToChangedRow(Relation):
    """From an event to the row with its key."""

    def key_from(self, parent: object) -> Key | None:
        """The key of the row, or None where it is gone."""
        assert isinstance(parent, RowEvent)
        return parent.key


def changed_row(type_: type[Any], description: str) -> Any:
    """The field of an event that is the row, as it is by then and as far as it is the caller's to see."""
    entity = entity_of(type_)
    return to_one(description, ToChangedRow(entity.name, entity.key_names, entity.key))
