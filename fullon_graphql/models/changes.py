"""What happened to rows: the change feed, written by triggers (see `triggers.py`), and how much of it is gone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Identity, func, text, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import OWN_SCHEMA, Base

THIS_TRANSACTION = text("((pg_current_xact_id())::text)::bigint")


class Change(Base):
    """One row of a watched table was created, updated or deleted. Its place in the feed is (xid, seq)."""

    __tablename__ = "changes"
    __table_args__ = {"schema": OWN_SCHEMA}

    xid: Mapped[int] = mapped_column(BigInteger, primary_key=True, server_default=THIS_TRANSACTION)
    """The transaction that did it. A number of `xid8`, kept as one that every driver knows and an index can compare."""
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    """The order within a transaction. Across transactions it says nothing: it is drawn before they commit."""
    entity: Mapped[str]
    """Name of the table."""
    operation: Mapped[str]
    """`CREATED`, `UPDATED` or `DELETED`."""
    key: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The row's key columns and their values."""
    uid: Mapped[int | None] = mapped_column(BigInteger)
    """Whose row it is, or was; null where it is nobody's, or nobody knows any more."""
    bot_id: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())


class ChangesFloor(Base):
    """Up to where the feed has been pruned: its one row, absent while nothing has been."""

    __tablename__ = "changes_floor"
    __table_args__ = {"schema": OWN_SCHEMA}

    single: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    xid: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
