"""API keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, true
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import SECRET, UTC_NOW, Base, list_indexes


class ApiKey(Base):
    """An API key of a user. `key` is a secret even if it is a hash."""

    __tablename__ = "api_keys"
    __table_args__ = list_indexes(("uid",), order="api_key_id")

    api_key_id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[int] = mapped_column(ForeignKey("users.uid", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(128), unique=True, info=SECRET)
    """`sha256$<hex>` of the key, or the key itself if an older version of the platform wrote it."""
    name: Mapped[str]
    description: Mapped[str | None]
    scopes: Mapped[str] = mapped_column(String(255))
    """Comma-separated, e.g. `read,write`."""
    is_active: Mapped[bool] = mapped_column(server_default=true())
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=UTC_NOW)
