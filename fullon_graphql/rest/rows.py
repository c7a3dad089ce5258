"""Rows of a service's query as JSON objects by column name, without secret columns.

The service's query carries the access rule; a route only narrows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import GenericAlias
from typing import Any, NamedTuple, Union

from pydantic import AwareDatetime, BaseModel, create_model
from sqlalchemy import BigInteger, ColumnElement, Integer, Select, bindparam, inspect
from sqlalchemy.orm import InstrumentedAttribute

from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Worker
from fullon_graphql.database.precompiled import Statement, compiled
from fullon_graphql.errors import NotFound
from fullon_graphql.lru import remembered
from fullon_graphql.models.base import Base, is_secret
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.parameters import Page
from fullon_graphql.services.access import rows_of, visible_owner

ExtraColumns = tuple[ColumnElement[Any], ...]
"""Labelled columns from other tables beside those of the row: scalar subqueries, never joins.

A constant of the module, because statements are remembered by the identity of its columns.
"""

_OWNER, _LIMIT, _OFFSET = "_owner", "_limit", "_offset"


class _Shape(NamedTuple):
    """The properties of a query on which its text depends."""

    model: type[Base]
    equal: tuple[str, ...]
    """Columns that are compared with a value."""
    extra: tuple[ColumnElement[Any], ...] = ()
    newest_first: bool = False


async def list_rows(
    worker: Worker,
    caller: Caller,
    model: type[Base],
    page: Page,
    *,
    extra: ExtraColumns = (),
    newest_first: bool = False,
    **equal: object,
) -> Json:
    """One page of the visible rows whose columns have the values `equal`, by key, so that pages do not overlap."""
    shape = _Shape(model, tuple(equal), extra, newest_first)
    return Json(await _fetch(worker, caller, shape, equal, page))


async def list_query(
    worker: Worker, caller: Caller, query: Select[Any], page: Page, *order: Any, extra: ExtraColumns = ()
) -> Json:
    """One page of the rows of a query, in `order` and then by key."""
    keys = inspect(_model(query)).primary_key
    return Json(await fetch_rows(worker, caller, page.apply(query.order_by(*order, *keys)), extra))


async def get_row(
    worker: Worker, caller: Caller, model: type[Base], *, extra: ExtraColumns = (), **equal: object
) -> Json:
    """The visible row whose columns have the values `equal`; of several the one with the lowest key.

    Raises:
        NotFound: no such row is visible to the caller.
    """
    return Json(await find_row(worker, caller, model, extra=extra, **equal))


async def find_row(
    worker: Worker, caller: Caller, model: type[Base], *, extra: ExtraColumns = (), **equal: object
) -> dict[str, Any]:
    """The row as an object. Raises as `get_row` does."""
    owner = visible_owner(model, caller)
    statement = _statement(_Shape(model, tuple(equal), extra), owner is None)
    bounds = {_OWNER: owner, _LIMIT: 1, _OFFSET: 0}
    row = await worker.reads(caller).one(statement, **bounds, **equal)
    if row is None:
        raise NotFound(f"There is no such {model.__name__}.")
    return row


async def fetch_rows(
    worker: Worker, caller: Caller, query: Select[Any], extra: ExtraColumns = ()
) -> list[dict[str, Any]]:
    """The rows of a query of one table as objects, with `extra` columns."""
    rows = await worker.reads(caller).rows(select_visible(query, extra))
    return [dict(row._mapping) for row in rows]  # SQLAlchemy's documented name


async def _fetch(
    worker: Worker, caller: Caller, shape: _Shape, equal: Mapping[str, object], page: Page
) -> list[dict[str, Any]]:
    owner = visible_owner(shape.model, caller)
    bounds = {_OWNER: owner, _LIMIT: page.limit, _OFFSET: page.offset}
    return await worker.reads(caller).objects(_statement(shape, owner is None), **bounds, **equal)


def _statement_bytes(found: Statement) -> int:
    return 5_000 + 2 * len(found.text)


@remembered("row_statements", 4 * 2**20, _statement_bytes)
def _statement(shape: _Shape, all_rows: bool) -> Statement:  # decorated: positional only
    query = rows_of(shape.model, None if all_rows else bindparam(_OWNER, type_=Integer()))
    query = query.where(*(getattr(shape.model, name) == bindparam(name) for name in shape.equal))
    keys = inspect(shape.model).primary_key
    query = query.order_by(*(key.desc() for key in keys) if shape.newest_first else keys)
    limit, offset = (bindparam(name, type_=BigInteger()) for name in (_LIMIT, _OFFSET))
    return compiled(select_visible(query.limit(limit).offset(offset), shape.extra))


def select_visible(query: Select[Any], extra: ExtraColumns = ()) -> Select[Any]:
    """The query with every column that is not secret, and with `extra` ones."""
    columns = (column.label(column.key) for column in _columns(_model(query)))
    return query.with_only_columns(*columns, *extra)


@cache
def row_model(model: type[Base], **extra: Any) -> type[BaseModel]:
    """The documented form of a row of `model`; `extra` columns by name with their types."""
    columns = {column.key: _type(column) if not column.nullable else _type(column) | None for column in _columns(model)}
    fields: dict[str, Any] = {name: (kind, ...) for name, kind in (columns | extra).items()}
    return create_model(model.__name__, __doc__=model.__doc__, **fields)


def list_of(*models: Any) -> Any:
    """The documented form of a list of rows of one of `models`."""
    return Union[tuple(GenericAlias(list, (model,)) for model in models)]  # noqa: UP007  # made at run time


def _type(column: InstrumentedAttribute[Any]) -> Any:
    python_type = column.type.python_type
    return {"datetime": AwareDatetime, "Decimal": float, "dict": Any}.get(python_type.__name__, python_type)


def _columns(model: type[Any]) -> list[InstrumentedAttribute[Any]]:
    return [getattr(model, name) for name, column in inspect(model).columns.items() if not is_secret(column)]


def _model(query: Select[Any]) -> type[Any]:
    model: type[Any] = query.column_descriptions[0]["entity"]
    return model
