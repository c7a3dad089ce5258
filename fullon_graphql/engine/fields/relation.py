"""The fields with which a type declares its relations; each carries its `Relation` for the planner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry
from graphql import is_non_null_type

from fullon_graphql.context import Context, Info
from fullon_graphql.engine.fields.connection import paged
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.entities import Key
from fullon_graphql.engine.model.relations import RELATION, Relation
from fullon_graphql.engine.reference.loaders import load_count, load_many, load_one
from fullon_graphql.errors import NotFound


def to_one(description: str, relation: Relation) -> Any:
    """A field for the target's row; without one it is null, or NOT_FOUND if the field is not nullable."""

    async def resolve(root: Any, info: Info) -> Any:
        return await find_one(info, relation, relation.key_from(root))

    return strawberry.field(resolver=resolve, description=description, metadata={RELATION: relation})


def to_many(description: str, relation: Relation) -> Any:
    """A field for all rows of the target, by key; for lists that stay short."""

    async def resolve(root: Any, info: Info) -> Any:
        key = relation.key_from(root)
        return [] if key is None else await load_many(info.context, relation, key)

    return strawberry.field(resolver=resolve, description=description, metadata={RELATION: relation})


def connection(description: str, relation: Relation) -> Any:
    """A field that is a Relay connection over the target's rows; each parent has its own page."""

    async def rows(context: Context, root: Any, page: Page, feed_cursor: str | None) -> Sequence[Any]:
        key = relation.key_from(root)
        return [] if key is None else await load_many(context, relation, key, page, feed_cursor)

    async def count(context: Context, root: Any, page: Page) -> int:
        key = relation.key_from(root)
        return 0 if key is None else await load_count(context, relation, key, page.filter)

    return paged(description, relation.target_name, rows, count, {RELATION: relation})


async def find_one(info: Info, relation: Relation, key: Key | None) -> Any:
    """The row that the relation leads to from `key`, or None.

    Raises:
        NotFound: there is none the caller may see, and the field at hand is not nullable.
    """
    found = None if key is None else await load_one(info.context, relation, key)
    if found is None and is_non_null_type(info._raw_info.return_type):  # Strawberry has no public accessor
        raise NotFound(f"This {relation.target_name} does not exist.")
    return found
