"""What all tables share: how Python types become columns, constraint names, and what a time is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, DateTime, Dialect, Double, MetaData, Text, Uuid, text
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

OWN_SCHEMA = "fullon_graphql"
"""The PostgreSQL schema of everything this package adds. The platform's tables stay in `public`, unaltered."""

UTC_NOW = text("timezone('UTC', now())")
"""The platform's default for time columns: the current UTC time without a zone."""


SECRET: Final = {"secret": True}
"""The `info` of columns that are never shown, logged or audited, not even as a hash."""


def is_secret(column: Column[Any]) -> bool:
    """Whether the column is declared with `info=SECRET`."""
    return bool(column.info.get("secret"))


class UtcDateTime(TypeDecorator[datetime]):
    """A time stored as the platform stores it, UTC without a zone, and aware (UTC) in Python.

    An aware value of any zone is converted before it is written; a naive one is taken to be UTC already.
    """

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class PlainUuid(TypeDecorator[UUID]):
    """A UUID that is one of Python's own: the driver's are of a class that JSON writers do not know."""

    impl = Uuid
    cache_ok = True

    def process_result_value(self, value: UUID | None, dialect: Dialect) -> UUID | None:
        return None if value is None else UUID(int=value.int)


class Base(DeclarativeBase):
    """A table. Attributes are named as their columns; relations are declared on the GraphQL types."""

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
