"""Node: every row has one opaque id by which `node` and a federated gateway find it again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.model.global_ids import Reference, global_id, parse_global_id
from fullon_graphql.engine.reference.loaders import load_entity
from fullon_graphql.errors import BadUserInput


@strawberry.interface(description="A row with an id that is unique across all types and never changes.")
class Node:
    @strawberry.field(description="Opaque, globally unique id. Pass it to `node` to fetch this row again.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(global_id(self))


async def find(info: Info, reference: Reference | None) -> Any | None:
    """The row that an id refers to, or None if the caller may see none.

    References that are followed together share one statement per type.
    """
    return None if reference is None else await load_entity(info.context, *reference)


def represented(representation: object, names: Collection[str]) -> Reference | None:
    """The row that a federated gateway asks for by type and id; None if the id is not one of this type.

    Raises:
        BadUserInput: the representation has no `__typename` among `names`, or no `id`.
    """
    match representation:
        case {"__typename": str(name), "id": str(node_id)} if name in names:
            return parse_global_id(node_id, only=name)
        case _:
            raise BadUserInput("A representation needs the `__typename` of an entity and its `id`, both strings.")
