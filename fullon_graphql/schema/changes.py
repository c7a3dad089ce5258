"""What every stream of changes has in common."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.enums import described
from fullon_graphql.services.changes import ChangeKind

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
