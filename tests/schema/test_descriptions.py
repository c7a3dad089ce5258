"""Every type, field, argument and enum value of the schema has a description."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    is_specified_scalar_type,
)

from fullon_graphql.graph import Graph

FEDERATION = {"_Any", "_Entity", "_FieldSet", "_Service", "Query._entities", "Query._service"}
"""Names that the federation specification defines and describes."""


def test_every_type_field_and_argument_has_a_description(schema: Graph) -> None:
    types = schema._schema.type_map.values()
    assert sorted(name for type_ in types for name in undescribed(type_)) == []


def undescribed(type_: GraphQLNamedType) -> Iterator[str]:
    if type_.name.startswith(("__", "link__")) or type_.name in FEDERATION or is_specified_scalar_type(type_):
        return
    if not type_.description:
        yield type_.name
    if isinstance(type_, GraphQLEnumType):
        yield from (f"{type_.name}.{name}" for name, value in type_.values.items() if not value.description)
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        for name, field in type_.fields.items():
            if f"{type_.name}.{name}" in FEDERATION:
                continue
            if not field.description:
                yield f"{type_.name}.{name}"
            for argument, input_ in getattr(field, "args", {}).items():
                if not input_.description:
                    yield f"{type_.name}.{name}({argument})"
