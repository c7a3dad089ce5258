"""Global ids: the opaque `id` of a row, made of the name of its entity and its key."""

from __future__ import annotations

from typing import TypeAlias

from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.model.entities import Entity, Key, entity_named, entity_of

Reference: TypeAlias = tuple[Entity, Key]
"""An entity and the key of a row that may or may not exist."""


def global_id(row: object) -> str:
    """The global id of a built row."""
    entity = entity_of(type(row))
    return opaque_ids.encode(entity.name, *entity.key_of(row))


def parse_global_id(text: str, only: str | None = None) -> Reference | None:
    """The reference in a global id; None for any other text, and for the id of another entity than `only`."""
    try:
        name, *parts = opaque_ids.decode(text)
    except ValueError:
        return None
    entity = entity_named(name) if isinstance(name, str) and only in {None, name} else None
    key = opaque_ids.read(parts, entity.key) if entity else None
    return None if entity is None or key is None else (entity, key)
