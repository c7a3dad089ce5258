"""The base of all models: column types of Python types, constraint names, and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Double,
    Index,
    MetaData,
    Text,
    Uuid,
    case,
    cast,
    literal_column,
    text,
    type_coerce,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

OWN_SCHEMA = "fullon_graphql"
"""The PostgreSQL schema of all our tables. The platform's tables stay in `public`, unaltered."""

UTC_NOW = text("timezone('UTC', now())")
"""The platform's default for time columns: the current UTC time without a zone."""


SECRET: Final = {"secret": True}
"""The `info` of columns that are never shown, logged or audited, not even as a hash."""


def is_secret(column: Column[Any]) -> bool:
    """True if the column is declared with `info=SECRET`."""
    return bool(column.info.get("secret"))


def within_years(time: ColumnElement[Any], *, timezone: bool = False) -> ColumnElement[Any]:
    """A time as `timestamp` (or `timestamptz`), clamped to the years 1 to 9999.

    PostgreSQL also stores `infinity` and years that neither Python nor ISO 8601 can represent.
    """
    kind, offset = ("timestamptz", "+00") if timezone else ("timestamp", "")
    type_: DateTime = DateTime(timezone=timezone)
    first, last = (literal_column(f"{kind} '{edge}{offset}'", type_) for edge in _EDGES)
    stored = cast(time, type_)
    return case((stored < first, first), (stored > last, last), else_=stored)


_EDGES: Final = ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999")


FOR_LISTS: Final = "for_lists"
"""The key in the `info` of indexes that only our own databases have; `db advise` proposes them for others."""


def list_indexes(*equal: tuple[str, ...], order: str | None = None) -> tuple[Index, ...]:
    """An index for each list below a parent: the columns that name the parent, then the one that orders the list."""
    return tuple(Index(None, *columns, *filter(None, [order]), info={FOR_LISTS: True}) for columns in equal)


class UtcDateTime(TypeDecorator[datetime]):
    """A time stored as the platform does, in UTC without a zone; aware (UTC) in Python.

    An aware value is converted to UTC before it is written; a naive value counts as UTC. Stored times outside of the
    years 1 to 9999 are read as the first or the last instant of these.
    """

    impl = DateTime
    cache_ok = True

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return type_coerce(within_years(column), self)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """A time stored with a time zone; aware in Python, and clamped as `UtcDateTime` is."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return type_coerce(within_years(column, timezone=True), self)


class PlainUuid(TypeDecorator[UUID]):
    """A UUID of Python's class: the driver's class is unknown to JSON encoders."""

    impl = Uuid
    cache_ok = True

    def process_result_value(self, value: UUID | None, dialect: Dialect) -> UUID | None:
        return None if value is None else UUID(int=value.int)


class Base(DeclarativeBase):
    """Base of all models. Attributes have the names of columns; relations are declared on the GraphQL types."""

    # PostgreSQL's own automatic names, for the constraints and indexes that the platform leaves unnamed.
    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        }
    )
    type_annotation_map = {str: Text(), float: Double(), datetime: UtcDateTime(), UUID: PlainUuid()}
