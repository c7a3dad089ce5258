"""Columns: fields that are one SQL expression over their entity's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeDecorator

COLUMN = "column"
"""Where a field's `Column` stands in its Strawberry metadata."""


@dataclass(frozen=True)
class Column:
    """The expression behind a field; without one, the table's column of the field's name."""

    sql: ColumnElement[Any] | InstrumentedAttribute[Any] | None = None

    def expression(self, table: type[Any], name: str) -> ColumnElement[Any]:
        """The SQL both executions select for the field called `name`."""
        if self.sql is not None:
            return self.sql
        column: ColumnElement[Any] = getattr(table, name)
        return column


def column(description: str, sql: ColumnElement[Any] | InstrumentedAttribute[Any] | None = None) -> Any:
    """A field read from the row: the column of the same name, or `sql`."""
    return strawberry.field(description=description, metadata={COLUMN: Column(sql)})


def upper(attribute: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """A text column in capitals: for enums that the platform stores in any letter case."""
    return func.upper(attribute)


def is_nullable(expression: ColumnElement[Any] | InstrumentedAttribute[Any]) -> bool:
    """False where the table promises a value; of what is computed nothing is known."""
    return not isinstance(expression, InstrumentedAttribute) or bool(expression.property.columns[0].nullable)


def stored(expression: ColumnElement[Any] | InstrumentedAttribute[Any]) -> Any:
    """The type in the database, beneath what Python makes of it."""
    return expression.type.impl if isinstance(expression.type, TypeDecorator) else expression.type
