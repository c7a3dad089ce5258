"""Rows of a visible query as REST shows them: objects of column names, without what is secret.

A route says which rows; that nobody sees more than is theirs, the service's query has seen to.
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

Further = Sequence[ColumnElement[Any]]
"""Columns of other tables beside those of the row, labelled: scalar subqueries, never joins."""


async def listed(worker: Worker, query: Select[Any], page: Page, *order: Any, further: Further = ()) -> Json:
    """One page of the rows, in `order` and then by key: no row is passed over from page to page, or met twice."""
    keys = inspect(_model(query)).primary_key
    return Json(await of_model(worker, page.of(query.order_by(*order, *keys)), further))


async def one(worker: Worker, query: Select[Any], *, further: Further = ()) -> Json:
    """The row.

    Raises:
        NotFound: there is none that one may see.
    """
    return Json(await found(worker, query, further))


async def found(worker: Worker, query: Select[Any], further: Further = ()) -> dict[str, Any]:
    """The row as an object. Raises as `one` does."""
    rows = await of_model(worker, query.limit(1), further)
    if not rows:
        raise NotFound(f"There is no such {_model(query).__name__}.")
    return rows[0]


async def of_model(worker: Worker, query: Select[Any], further: Further = ()) -> list[dict[str, Any]]:
    """The rows of a query of one table as objects, with `further` columns."""
    rows = await worker.database.rows(shown(query, further))
    return [dict(row._mapping) for row in rows]  # SQLAlchemy's documented name


def shown(query: Select[Any], further: Further = ()) -> Select[Any]:
    """The query with every column that is no secret, and with `further` ones."""
    return query.with_only_columns(*_columns(_model(query)), *further)


@cache
def row_model(model: type[Base], **further: Any) -> type[BaseModel]:
    """What a row of `model` looks like, for the documentation; `further` columns by name, with their types."""
    columns = {column.key: _type(column) if not column.nullable else _type(column) | None for column in _columns(model)}
    fields: dict[str, Any] = {name: (kind, ...) for name, kind in (columns | further).items()}
    return create_model(model.__name__, __doc__=model.__doc__, **fields)


def rows_of(*models: Any) -> Any:
    """A list of rows of one of `models`, for the documentation."""
    return Union[tuple(GenericAlias(list, (model,)) for model in models)]  # noqa: UP007  # made at run time


def _type(column: InstrumentedAttribute[Any]) -> Any:
    python_type = column.type.python_type
    return {"datetime": AwareDatetime, "Decimal": float, "dict": Any}.get(python_type.__name__, python_type)


def _columns(model: type[Any]) -> list[InstrumentedAttribute[Any]]:
    return [getattr(model, name) for name, column in inspect(model).columns.items() if not is_secret(column)]


def _model(query: Select[Any]) -> type[Any]:
    model: type[Any] = query.column_descriptions[0]["entity"]
    return model
