"""Columns: fields that are one SQL expression over their entity's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, func
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeDecorator

COLUMN = "column"
"""Where a field's `Column` stands in its Strawberry metadata."""


@dataclass(frozen=True)
class Column:
    """The expression behind a field; without one, the table's column of the field's name."""

    sql: ColumnElement[Any] | InstrumentedAttribute[Any] | None = None
    filterable: bool = False
    """True where lists can be searched by it although no index of its table has it."""

    def expression(self, table: type[Any], name: str) -> ColumnElement[Any]:
        """The SQL both executions select for the field called `name`."""
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
    """A field read from the row: the column of the same name, or `sql`.

    Lists can be filtered and ordered by it where its column stands in a key or an index of the table, or where it is
    declared `filterable`. What is personal must not be: who may not read a value could still find it by asking.
    """
    return strawberry.field(description=description, metadata={COLUMN: Column(sql, filterable)})


def upper(attribute: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """A text column in capitals: for enums that the platform stores in any letter case."""
    return func.upper(attribute, type_=attribute.type)


def is_indexed(expression: ColumnElement[Any] | InstrumentedAttribute[Any]) -> bool:
    """True for a column that stands in a key, a constraint or an index of its table."""
    if not isinstance(expression, InstrumentedAttribute):
        return False
    [column] = expression.property.columns
    groups = [*column.table.constraints, *column.table.indexes]
    keyed = (PrimaryKeyConstraint, UniqueConstraint, ForeignKeyConstraint, Index)
    return any(isinstance(group, keyed) and column.name in group.columns for group in groups)


def is_nullable(expression: ColumnElement[Any] | InstrumentedAttribute[Any]) -> bool:
    """False where the table promises a value; of what is computed nothing is known."""
    return not isinstance(expression, InstrumentedAttribute) or bool(expression.property.columns[0].nullable)


def stored(expression: ColumnElement[Any] | InstrumentedAttribute[Any]) -> Any:
    """The type in the database, beneath what Python makes of it."""
    return expression.type.impl if isinstance(expression.type, TypeDecorator) else expression.type
