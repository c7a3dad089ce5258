"""Rows of a service's query as JSON objects by column name, without secret columns.

The service's query carries the access rule; a route only narrows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import GenericAlias
from typing import Any, Union

from pydantic import AwareDatetime, BaseModel, create_model
from sqlalchemy import ColumnElement, Select, inspect
from sqlalchemy.orm import InstrumentedAttribute

from fullon_graphql.context import Worker
from fullon_graphql.errors import NotFound
from fullon_graphql.models.base import Base, is_secret
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.parameters import Page

ExtraColumns = Sequence[ColumnElement[Any]]
"""Labelled columns from other tables beside those of the row: scalar subqueries, never joins."""


async def list_rows(worker: Worker, query: Select[Any], page: Page, *order: Any, extra: ExtraColumns = ()) -> Json:
    """One page of the rows, in `order` and then by key, so that pages neither skip nor repeat a row."""
    keys = inspect(_model(query)).primary_key
    return Json(await fetch_rows(worker, page.apply(query.order_by(*order, *keys)), extra))


async def get_row(worker: Worker, query: Select[Any], *, extra: ExtraColumns = ()) -> Json:
    """The row.

    Raises:
        NotFound: no row is visible to the caller.
    """
    return Json(await find_row(worker, query, extra))


async def find_row(worker: Worker, query: Select[Any], extra: ExtraColumns = ()) -> dict[str, Any]:
    """The row as an object. Raises as `get_row` does."""
    rows = await fetch_rows(worker, query.limit(1), extra)
    if not rows:
        raise NotFound(f"There is no such {_model(query).__name__}.")
    return rows[0]


async def fetch_rows(worker: Worker, query: Select[Any], extra: ExtraColumns = ()) -> list[dict[str, Any]]:
    """The rows of a query of one table as objects, with `extra` columns."""
    rows = await worker.database.rows(select_visible(query, extra))
    return [dict(row._mapping) for row in rows]  # SQLAlchemy's documented name


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
