"""Node: every row has one opaque id by which it can be fetched again, here and through a federated gateway."""

from __future__ import annotations

from typing import Any

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.model.entities import Entity, Key, entity_named, entity_of
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.reference.loaders import load_entity
from fullon_graphql.errors import BadUserInput, NotFound

_NO_ROW = "No row has this id."


@strawberry.interface(description="A row with an id that is unique across all types and stable across restarts.")
class Node:
    @strawberry.field(description="Opaque and globally unique; give it to `node` to get this row again.")
    def id(self) -> strawberry.ID:
        entity = entity_of(type(self))
        return strawberry.ID(opaque_ids.encode(entity.name, *entity.key_of(self)))


async def find(info: Info, node_id: str, only: str | None = None) -> Any:
    """The row with this id, of type `only` where one is named. Ids asked for together share a statement per type.

    Raises:
        NotFound: no such row, a foreign one, or no id of this graph.
    """
    found = await load_entity(info.context, *place(node_id, only))
    if found is None:
        raise NotFound(_NO_ROW)
    return found


def place(node_id: str, only: str | None = None) -> tuple[Entity, Key]:
    """The entity that an id names, `only` where one is named, and the key of the row; whether there is one or not.

    Raises:
        NotFound: it is no such id.
    """
    try:
        name, *parts = opaque_ids.decode(node_id)
    except ValueError:
        name, parts = None, []
    entity = entity_named(name) if isinstance(name, str) and only in {None, name} else None
    key = opaque_ids.read(parts, entity.key) if entity else None
    if entity is None or key is None:
        raise NotFound(_NO_ROW)
    return entity, key


async def find_represented(info: Info, representation: object) -> Any:
    """The row that a federated gateway knows by its type and id; whatever else it says is not needed.

    Raises:
        BadUserInput: it names no entity, or no id.
        NotFound: as `find` does.
    """
    match representation:
        case {"__typename": str(name), "id": str(node_id)} if entity_named(name):
            return await find(info, node_id, only=name)
        case _:
            raise BadUserInput("A representation has the `__typename` of an entity and its `id`, both texts.")


def represented_ids(arguments: dict[str, Any]) -> list[str]:
    """The ids in the representations of `_entities`.

    Raises:
        Unplanned: one of them is no id of the type it names; that is for `find_represented` to report.
    """
    return [_represented_id(representation) for representation in arguments["representations"]]


def _represented_id(representation: object) -> str:
    match representation:
        case {"__typename": str(name), "id": str(node_id)} if _type_in(node_id) == name:
            return node_id
        case _:
            raise Fallback("no id of the type it names", "row")


def _type_in(node_id: str) -> object:
    try:
        return opaque_ids.decode(node_id)[0]
    except (ValueError, IndexError):
        return None
