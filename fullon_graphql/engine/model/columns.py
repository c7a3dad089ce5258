"""Columns: fields that are one SQL expression over their entity's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import strawberry
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeDecorator

from fullon_graphql.models.base import FOR_LISTS, within_years

COLUMN = "column"
"""The key of a field's `Column` in its Strawberry metadata."""


@dataclass(frozen=True)
class Column:
    """The SQL expression of a field; by default the table's column with the field's name."""

    sql: ColumnElement[Any] | InstrumentedAttribute[Any] | None = None
    filterable: bool = False
    """True if lists can be filtered by it although no index contains it."""

    def expression(self, table: type[Any], name: str) -> ColumnElement[Any]:
        """The SQL that both executions select for the field called `name`."""
        if self.sql is not None:
            return self.sql
        column: ColumnElement[Any] = getattr(table, name)
        return column


def column(
    description: str,
    sql: ColumnElement[Any] | InstrumentedAttribute[Any] | None = None,
    *,
    filterable: bool = False,
) -> Any:
    """A field that is read from the row: the column with the same name, or `sql`.

    Lists can be filtered and ordered by it if its column is in a key or an index of the table, or if it is
    `filterable`. Personal data must not be filterable: filters would reveal values that the caller may not read.
    """
    return strawberry.field(description=description, metadata={COLUMN: Column(sql, filterable)})


def upper(attribute: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """A text column in upper case, for enums that the platform stores in any case."""
    return func.upper(attribute, type_=attribute.type)


def is_indexed(expression: ColumnElement[Any] | InstrumentedAttribute[Any]) -> bool:
    """True for a column that is part of a key, a constraint or an index that every database has."""
    if not isinstance(expression, InstrumentedAttribute):
        return False
    [column] = expression.property.columns
    groups = [group for group in (*column.table.constraints, *column.table.indexes) if FOR_LISTS not in group.info]
    keyed = (PrimaryKeyConstraint, UniqueConstraint, ForeignKeyConstraint, Index)
    return any(isinstance(group, keyed) and column.name in group.columns for group in groups)


def begin_an_index(attributes: Sequence[InstrumentedAttribute[Any]]) -> bool:
    """True if these are the first columns of a key or an index that every database has."""
    columns = [column for attribute in attributes for column in attribute.property.columns]
    table = columns[0].table
    groups = [group for group in (*table.constraints, *table.indexes) if FOR_LISTS not in group.info]
    keyed = (PrimaryKeyConstraint, UniqueConstraint, Index)
    return any(
        isinstance(group, keyed) and set(list(group.columns)[: len(columns)]) == set(columns) for group in groups
    )


def is_nullable(expression: ColumnElement[Any] | InstrumentedAttribute[Any]) -> bool:
    """False for a NOT NULL column; True for other columns and for computed expressions."""
    return not isinstance(expression, InstrumentedAttribute) or bool(expression.property.columns[0].nullable)


def stored(expression: ColumnElement[Any] | InstrumentedAttribute[Any]) -> Any:
    """The database type of an expression, without its Python type decorator."""
    return expression.type.impl if isinstance(expression.type, TypeDecorator) else expression.type


def comparable(expression: Any) -> Any:
    """The expression by which rows are compared and sorted: times as both executions show them."""
    type_ = stored(expression)
    return within_years(expression, timezone=type_.timezone) if isinstance(type_, DateTime) else expression


def parameter_type(expression: ColumnElement[Any] | InstrumentedAttribute[Any]) -> Any:
    """The type of a parameter that is compared with a column: every integer fits, also if the column was widened."""
    return BigInteger() if isinstance(expression.type, Integer) else expression.type
