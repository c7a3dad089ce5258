"""A schema with oneOf inputs, which the platform's schema has none of: its fields answer what they were given."""

from __future__ import annotations

from typing import Any

import strawberry
from graphql import GraphQLInputObjectType, GraphQLSchema

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.mutations import given


@strawberry.input(one_of=True)
class Inner:
    number: int | None = strawberry.UNSET
    numbers: list[int] | None = strawberry.UNSET


@strawberry.input
class Several:
    inner: Inner | None = strawberry.UNSET
    flag: bool = True
    text: str | None = None


@strawberry.input(one_of=True)
class Choice:
    number: int | None = strawberry.UNSET
    text: str | None = strawberry.UNSET
    inner: Inner | None = strawberry.UNSET
    several: Several | None = strawberry.UNSET
    choices: list[Choice] | None = strawberry.UNSET


@strawberry.type
class Query:
    @strawberry.field
    def chosen(self, info: Info, choice: Choice) -> str:
        return written(choice)

    @strawberry.field
    def perhaps(self, info: Info, choice: Choice | None = strawberry.UNSET, several: Several | None = None) -> str:
        return written([choice, several])

    @strawberry.field
    def listed(self, info: Info, choices: list[Choice], inner: list[Inner | None] | None = None) -> str:
        return written([choices, inner])


def written(value: Any) -> str:
    """An input as text: plans pass dictionaries to resolvers, Strawberry dataclasses."""
    return repr(given({"value": value}))


def one_of_schema() -> GraphQLSchema:
    """The schema. Strawberry leaves the oneOf flag of graphql-core unset, and checks such inputs by raising."""
    schema: Any = strawberry.Schema(query=Query)
    core: GraphQLSchema = schema._schema
    for type_ in core.type_map.values():
        if isinstance(type_, GraphQLInputObjectType) and type_.name in {"Inner", "Choice"}:
            type_.is_one_of = True
            type_.out_type = GraphQLInputObjectType.out_type  # type: ignore[method-assign]  # the default
    return core
