"""Columns: fields that are one SQL expression over their entity's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import InstrumentedAttribute

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
