"""Audience: whether a result is the same for every signed-in caller, decided from its selection.

Rows are shared if their access rule does not depend on the caller, types without rows if they are declared
`same_for_everybody`. A field with a resolver of its own is never shared.
"""

from __future__ import annotations

from typing import TypeVar

from graphql import GraphQLNamedType, get_named_type, is_leaf_type
from strawberry.types.base import StrawberryObjectDefinition

from fullon_graphql.engine.model.batches import BATCH
from fullon_graphql.engine.model.entities import entity_named
from fullon_graphql.engine.model.relations import RELATION
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.selections import Selection
from fullon_graphql.services.access import depends_on_caller

T = TypeVar("T", bound=type)

_same_for_everybody: set[type] = set()


def same_for_everybody(cls: T) -> T:
    """Declare that objects of a GraphQL type without rows do not depend on the caller, whichever field returns them.

    The outermost decorator of the class.
    """
    _same_for_everybody.add(cls)
    return cls


def is_for_everybody(selection: Selection) -> bool:
    """True if neither the objects of a root field nor anything selected below them depends on the caller."""
    return _is_shared(selection) and _below(selection)


def _below(selection: Selection) -> bool:
    return not selection.possible and all(_is_plain(child) and _below(child) for child in selection.children)


def _is_plain(selection: Selection) -> bool:
    """True for a value that is stored in its object, and for a field that leads to shared objects."""
    try:
        if selection.field is None or selection.declared.is_basic_field:
            return selection.field is None or is_leaf_type(get_named_type(selection.type)) or _is_shared(selection)
        metadata = selection.declared.metadata
        if BATCH in metadata and metadata[BATCH].for_everybody:
            return True
        return (RELATION in metadata or BATCH in metadata) and _is_shared(selection)
    except Fallback:
        return False


def _is_shared(selection: Selection) -> bool:
    type_ = get_named_type(selection.type)
    entity = entity_named(type_.name)
    return _is_declared(type_) if entity is None else not depends_on_caller(entity.table)


def _is_declared(type_: GraphQLNamedType) -> bool:
    definition = type_.extensions.get("strawberry-definition")
    return isinstance(definition, StrawberryObjectDefinition) and definition.origin in _same_for_everybody
