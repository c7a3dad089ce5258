"""Coordinates of fields, `Type.field`: those that an operation selects, and those that are deprecated."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from datetime import date
from typing import Final

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

_REMOVAL: Final = re.compile(r"\bRemoved after (\d{4}-\d{2}-\d{2})\.$")


def selected_fields(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> tuple[str, ...]:
    """The coordinates that a valid operation selects, sorted. Fields of an interface count for the interface."""
    found: set[str] = set()
    spread: set[str] = set()
    root: GraphQLNamedType | None = schema.get_root_type(operation.operation)
    waiting: list[tuple[GraphQLNamedType | None, SelectionSetNode]] = [(root, operation.selection_set)]
    while waiting:
        parent, selections = waiting.pop()
        for node in selections.selections:
            match node:
                case FieldNode():
                    fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
                    field = fields.get(node.name.value)
                    if parent and field:  # not of introspection
                        found.add(sys.intern(f"{parent.name}.{node.name.value}"))
                        if node.selection_set:
                            waiting.append((get_named_type(field.type), node.selection_set))
                case InlineFragmentNode(type_condition=condition):
                    type_ = schema.get_type(condition.name.value) if condition else parent
                    waiting.append((type_, node.selection_set))
                case FragmentSpreadNode() if node.name.value not in spread:
                    spread.add(node.name.value)
                    fragment = fragments[node.name.value]
                    waiting.append((schema.get_type(fragment.type_condition.name.value), fragment.selection_set))
                case _:
                    pass
    return tuple(sorted(found))


def deprecated_fields(schema: GraphQLSchema) -> dict[str, str]:
    """The reasons of all deprecated fields, by coordinate."""
    return {
        f"{type_.name}.{name}": field.deprecation_reason
        for type_ in schema.type_map.values()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        for name, field in type_.fields.items()
        if field.deprecation_reason is not None
    }


def removal_date(reason: str) -> date | None:
    """The date in a reason that ends with `Removed after 2027-01-31.`; None if it does not."""
    found = _REMOVAL.search(reason)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None
