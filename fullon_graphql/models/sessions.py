"""Sessions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import OWN_SCHEMA, SECRET, Base

Instant = DateTime(timezone=True)


class Session(Base):
    """One sign-in, valid until `expires_at` or `revoked_at`. Each use replaces its refresh token."""

    __tablename__ = "sessions"
    __table_args__ = {"schema": OWN_SCHEMA}

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    uid: Mapped[int] = mapped_column(index=True)
    """`users.uid`, without a foreign key: no table of ours depends on the platform's."""
    refresh_hash: Mapped[bytes] = mapped_column(LargeBinary, info=SECRET)
    """SHA-256 of the current refresh token, 32 bytes."""
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    refreshed_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str | None]
    """Why it was revoked."""
    address: Mapped[str | None]
    user_agent: Mapped[str | None]
