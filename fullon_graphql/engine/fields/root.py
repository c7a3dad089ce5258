"""Root fields over entities: a connection over all rows the caller may see, and one row by its key."""

from __future__ import annotations

from typing import Any, TypeVar

import strawberry
from sqlalchemy import func

from fullon_graphql.context import Context, Info
from fullon_graphql.engine.fields.connection import After, Before, Connection, First, Last
from fullon_graphql.engine.fields.filter_inputs import searching
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.lists.filters import narrowed
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.entities import Entity, entity_of
from fullon_graphql.engine.model.relations import Relation
from fullon_graphql.engine.reference.loaders import identity, load_entity
from fullon_graphql.errors import NotFound

T = TypeVar("T")

ROOT = "root"
"""Where a root connection's entity type stands in its Strawberry metadata."""
ALL = "all"
"""Where the entity type of a root field that lists all its rows stands."""
ONE = "one"
"""Where the relation from a root field's arguments (or from `caller_uid`) to its row stands."""
NODES = "nodes"
"""Where the function stands that reads global ids from the arguments of a root field over all types."""


def by_key(type_: type[Any]) -> dict[object, Relation]:
    """The metadata of a root field whose arguments are the key of the row it answers."""
    return {ONE: identity(entity_of(type_))}


def root_connection(description: str, type_: type[Any]) -> Any:
    """A root field that is a Relay connection over every row of `type_` the caller may see."""
    entity = entity_of(type_)

    async def resolve(
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter_: Any = None,
        order_by: Any = None,
    ) -> Any:
        page = Page.read(entity, first=first, after=after, last=last, before=before, filter_=filter_, order_by=order_by)
        rows = await _rows(info.context, entity, page)

        async def count() -> int:
            return await _count(info.context, entity, page)

        return Connection(slice=page.arrange(rows), count=count)

    resolve.__annotations__ |= searching(entity.name)
    return strawberry.field(resolver=resolve, description=description, metadata={ROOT: type_})


async def one_row(context: Context, type_: type[T], *key: object) -> T:
    """The row of `type_` with this key.

    Raises:
        NotFound: there is none, or it is not the caller's to see.
    """
    entity = entity_of(type_)
    found: T | None = await load_entity(context, entity, key) if opaque_ids.fits(key, entity.key) else None
    if found is None:
        raise NotFound(f"No {entity.name} with key {', '.join(map(str, key))}.")
    return found


async def all_rows(context: Context, type_: type[T]) -> list[T]:
    """Every row of `type_` the caller may see, by key: for lists that stay short."""
    entity = entity_of(type_)
    statement = entity.rows(context.caller).order_by(*entity.key)
    return [entity.build(row) for row in await context.database.rows(statement)]


async def _rows(context: Context, entity: Entity, page: Page) -> list[Any]:
    statement = page.cut(entity.rows(context.caller), entity)
    return [entity.build(row) for row in await context.database.rows(statement)]


async def _count(context: Context, entity: Entity, page: Page) -> int:
    rows = narrowed(entity.visible(context.caller), entity, page.filter)
    row = await context.database.row(rows.with_only_columns(func.count().label("total"), maintain_column_froms=True))
    return int(row.total) if row else 0
