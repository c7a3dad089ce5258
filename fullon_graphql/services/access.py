"""The rules that say who sees a row; every entity's `visible` is one of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, exists, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from fullon_graphql.auth.principal import Caller, signed_in


def own_rows(table: type[Any], owner: ColumnElement[int] | InstrumentedAttribute[int], caller: Caller) -> Select[Any]:
    """The rows whose `owner` is the caller; all of them for an administrator.

    Raises:
        Unauthenticated: nobody is signed in.
        Forbidden: the credential may not read.
    """
    principal = signed_in(caller)
    return select(table) if principal.admin else select(table).where(owner == principal.uid)


def rows_of(
    table: type[Any], parent: ColumnElement[Any] | InstrumentedAttribute[Any], parents: Select[Any], caller: Caller
) -> Select[Any]:
    """The rows whose `parent` is one of `parents`, a query of one column; all of them for an administrator.

    For rows that do not name their owner: they belong to whoever sees what they hang on. An administrator also sees
    those that hang on nothing.

    Raises:
        Unauthenticated: nobody is signed in.
        Forbidden: the credential may not read.
    """
    if signed_in(caller).admin:
        return select(table)
    # On its own: a relation may join the same table around it, and that is another one.
    return select(table).where(parent.in_(parents.correlate(None)))


def shared_rows(table: type[Any], caller: Caller) -> Select[Any]:
    """Every row, for everybody who is signed in: the catalogue and market data.

    Raises:
        Unauthenticated: nobody is signed in.
        Forbidden: the credential may not read.
    """
    signed_in(caller)
    return select(table)


def without_twins(rows: Select[Any], table: type[Any], *columns: InstrumentedAttribute[Any]) -> Select[Any]:
    """`rows` of a table without a key, each content once: of rows that agree in `columns` the first that is stored.

    Such rows say the same, and nothing tells them apart by which a list could go on between them or a client ask for
    one of them again. With this, `columns` are the table's key.
    """
    twin = aliased(table, name="twin")
    agrees = [getattr(twin, column.key) == column for column in columns]
    # Where PostgreSQL keeps a row: the only thing that differs.
    earlier = literal_column("twin.ctid") < literal_column(f"{table.__tablename__}.ctid")
    return rows.where(~exists().where(*agrees, earlier).correlate(table))
