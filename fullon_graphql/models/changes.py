"""The change feed, written by triggers (see `triggers.py`), and the position up to which it was pruned."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Identity, func, text, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import OWN_SCHEMA, Base


class Change(Base):
    """One row of a watched table was created, updated or deleted. Its position in the feed is (xid, seq)."""

    __tablename__ = "changes"
    __table_args__ = {"schema": OWN_SCHEMA}

    xid: Mapped[int] = mapped_column(BigInteger, primary_key=True, server_default=text("txid_current()"))
    """The transaction: an `xid8` as an integer, a type that every driver knows and an index can compare."""
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True, cache=64), primary_key=True)
    """The order within a transaction. It says nothing about the order of transactions: sessions draw numbers ahead."""
    entity: Mapped[str]
    """Name of the table."""
    operation: Mapped[str]
    """`CREATED`, `UPDATED` or `DELETED`."""
    id: Mapped[int | None] = mapped_column(BigInteger)
    """The key of the row, if it is a single integer."""
    key: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """The key columns of the row and their values, if `id` is null."""
    uid: Mapped[int | None] = mapped_column(BigInteger)
    """The owner of the row; null if it has none, or if the owner is no longer known."""
    bot_id: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())


class ChangesFloor(Base):
    """The position up to which the feed was pruned, in a single row; no row if nothing was pruned."""

    __tablename__ = "changes_floor"
    __table_args__ = {"schema": OWN_SCHEMA}

    single: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    xid: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
