"""The fields a type declares its relations with; each carries its `Relation` for whoever plans an operation."""

from __future__ import annotations

from typing import Any

import strawberry
from graphql import is_non_null_type

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import After, Before, Connection, First, Last
from fullon_graphql.engine.fields.filter_inputs import searching
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.relations import RELATION, Relation
from fullon_graphql.engine.reference.loaders import load_count, load_many, load_one
from fullon_graphql.errors import NotFound


def to_one(description: str, relation: Relation) -> Any:
    """A field that is the target's row, or null; not found is an error where the field may not be null."""

    async def resolve(root: Any, info: Info) -> Any:
        key = relation.key_from(root)
        found = None if key is None else await load_one(info.context, relation, key)
        if found is None and is_non_null_type(info._raw_info.return_type):  # no public way to ask
            raise NotFound(f"The {relation.target_name} this leads to does not exist.")
        return found

    return strawberry.field(resolver=resolve, description=description, metadata={RELATION: relation})


def to_many(description: str, relation: Relation) -> Any:
    """A field that is the list of all the target's rows, by key: for lists that stay short."""

    async def resolve(root: Any, info: Info) -> Any:
        key = relation.key_from(root)
        return [] if key is None else await load_many(info.context, relation, key)

    return strawberry.field(resolver=resolve, description=description, metadata={RELATION: relation})


def connection(description: str, relation: Relation) -> Any:
    """A field that is a Relay connection over the target's rows, each parent with its own page."""

    async def resolve(
        root: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter_: Any = None,
        order_by: Any = None,
    ) -> Any:
        page = Page.read(
            relation.target, first=first, after=after, last=last, before=before, filter_=filter_, order_by=order_by
        )
        key = relation.key_from(root)
        rows = [] if key is None else await load_many(info.context, relation, key, page)

        async def count() -> int:
            return 0 if key is None else await load_count(info.context, relation, key, page.filter)

        return Connection(slice=page.arrange(rows), count=count)

    resolve.__annotations__ |= searching(relation.target_name)
    return strawberry.field(resolver=resolve, description=description, metadata={RELATION: relation})
