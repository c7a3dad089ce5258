"""Users."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CHAR, ForeignKey, PrimaryKeyConstraint, String, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import SECRET, UTC_NOW, Base


class Role(StrEnum):
    """The values of `users.role`."""

    ADMIN = "ADMIN"
    USER = "USER"


class User(Base):
    """A user. `password` and `f2a` are secrets; `phone`, `id_num` and `note` are personal."""

    __tablename__ = "users"
    __table_args__ = (PrimaryKeyConstraint("uid", name="users_pk"), UniqueConstraint("mail", name="unique_mail"))

    uid: Mapped[int]
    mail: Mapped[str] = mapped_column(String(80))
    password: Mapped[str] = mapped_column(CHAR(64), info=SECRET)
    """A bcrypt hash of 60 characters, which PostgreSQL pads to 64 with blanks."""
    f2a: Mapped[str] = mapped_column(String(16), info=SECRET)
    """The seed of one-time codes in base32; empty or `---` if the user is not enrolled."""
    role: Mapped[str] = mapped_column(String(10), default=Role.USER)
    name: Mapped[str] = mapped_column(String(50))
    lastname: Mapped[str] = mapped_column(String(50))
    phone: Mapped[str] = mapped_column(String(12))
    id_num: Mapped[str] = mapped_column(String(15))
    note: Mapped[str | None]
    manager: Mapped[int | None] = mapped_column(ForeignKey("users.uid", onupdate="RESTRICT", ondelete="RESTRICT"))
    timestamp: Mapped[datetime] = mapped_column(server_default=UTC_NOW)
    active: Mapped[bool] = mapped_column(server_default=true())
    external_id: Mapped[str | None] = mapped_column(String, unique=True)
    """The user's id in an external system."""
