"""Root fields over entities: a connection over all rows the caller may see, all of them, and one row by its key."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import strawberry
from sqlalchemy import Select, func

from fullon_graphql.auth.principal import Caller, reader
from fullon_graphql.context import Context, Info
from fullon_graphql.engine.fields.connection import paged
from fullon_graphql.engine.fields.relation import find_one
from fullon_graphql.engine.lists.filters import narrowed
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.entities import entity_of
from fullon_graphql.engine.reference.loaders import identity, load_one
from fullon_graphql.engine.reference.row_reads import read_rows
from fullon_graphql.errors import NotFound, shortened

T = TypeVar("T")

ROOT = "root"
"""Metadata key of the entity type of a root connection."""
ALL = "all"
"""Metadata key of the entity type of a root field that lists all its rows."""
ONE = "one"
"""Metadata key of the relation from a root field's arguments (or from `caller_uid`) to its row."""
NODES = "nodes"
"""Metadata key of the function that reads global ids from the arguments of a root field over all types."""
MOST_NODES = "most_nodes"
"""Metadata key of the largest number of ids that such a field takes; `MAX_PAGE_SIZE` without it."""


def root_connection(description: str, type_: type[Any]) -> Any:
    """A root field that is a Relay connection over every row of `type_` the caller may see."""
    entity = entity_of(type_)

    async def rows(context: Context, _root: None, page: Page, _feed_cursor: str | None) -> Sequence[Any]:
        rows = await read_rows(context, ("page", entity, page), lambda caller: page.cut(entity.rows(caller), entity))
        return [entity.build(row) for row in rows]

    async def count(context: Context, _root: None, page: Page) -> int:
        def build(caller: Caller) -> Select[Any]:
            found = narrowed(entity.visible(caller), entity, page.filter)
            return found.with_only_columns(func.count().label("total"), maintain_column_froms=True)

        [row] = await read_rows(context, ("total", entity, page.filter), build)
        return int(row["total"])

    return paged(description, entity.name, rows, count, {ROOT: type_})


def root_list(description: str, type_: type[Any]) -> Any:
    """A root field for every row of `type_` the caller may see, by key; for lists that stay short."""
    entity = entity_of(type_)

    async def resolve(info: Info) -> Any:
        rows = await read_rows(info.context, ("all", entity), lambda caller: entity.rows(caller).order_by(*entity.key))
        return [entity.build(row) for row in rows]

    return strawberry.field(resolver=resolve, description=description, metadata={ALL: type_})


def root_row(description: str, type_: type[Any]) -> Any:
    """A root field for the row of `type_` with a key; its arguments are the key columns with their descriptions.

    Null if there is no such row that the caller may see.
    """
    relation = identity(entity_of(type_))

    async def resolve(info: Info, **key: Any) -> Any:
        reader(info.context.caller)
        return await find_one(info, relation, tuple(key[name] for name in relation.local))

    resolve.__signature__ = _signature(type_, relation.local)  # type: ignore[attr-defined]  # read by inspect.signature
    return strawberry.field(resolver=resolve, description=description, metadata={ONE: relation})


def _signature(type_: type[Any], names: Sequence[str]) -> inspect.Signature:
    """The parameters of a resolver that takes `info` and the columns `names` of `type_`."""
    columns = {field.python_name: field for field in type_.__strawberry_definition__.fields}
    parameters = [inspect.Parameter("info", inspect.Parameter.KEYWORD_ONLY, annotation=Info)]
    for name in names:
        column = columns[name]
        described: Any = Annotated[column.type, strawberry.argument(description=column.description)]
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=described))
    return inspect.Signature(parameters)


async def one_row(context: Context, type_: type[T], *key: object) -> T:
    """The row of `type_` with this key.

    Raises:
        NotFound: there is none that the caller may see.
    """
    entity = entity_of(type_)
    found: T | None = await load_one(context, identity(entity), key)
    if found is None:
        raise NotFound(f"No {entity.name} with key {', '.join(map(shortened, key))}.")
    return found
