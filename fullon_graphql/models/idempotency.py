"""Idempotency keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, func
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import OWN_SCHEMA, Base


class IdempotencyRecord(Base):
    """An `idempotencyKey` of a user and the result of its change, until `expires_at`."""

    __tablename__ = "idempotency"
    __table_args__ = {"schema": OWN_SCHEMA}

    uid: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str]
    input_digest: Mapped[str]
    result: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    """The key of the changed row; null only within the transaction of the change."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
