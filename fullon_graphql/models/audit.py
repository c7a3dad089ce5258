"""The audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Index, false
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import OWN_SCHEMA, SECRET, Base


class AuditEntry(Base):
    """One change or sign-in, chained to the previous one; see `services/audit.py`."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "entity", "key"), {"schema": OWN_SCHEMA})

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """1, 2, 3 and so on; a gap means that a row was removed."""
    time: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    uid: Mapped[int] = mapped_column(index=True)
    """0 if no account acted: an unknown account, or the server itself."""
    credential: Mapped[str]
    """`session:<uuid>`, `api_key:<id>`, `oidc:<digest>`, `switch:<uuid>`, `system`, or `none` for a refused
    sign-in."""
    operation: Mapped[str]
    """Name of the mutation, e.g. `createBot`."""
    entity: Mapped[str]
    """The changed entity, e.g. `Bot`."""
    key: Mapped[str]
    input_digest: Mapped[str]
    # `json`, not `jsonb`: it keeps the text as written, which the hash covers.
    before: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    request_id: Mapped[str]
    previous_hash: Mapped[str]
    hash: Mapped[str]
    salt: Mapped[str | None] = mapped_column(info=SECRET)
    """Random text that the hash covers; null once the row is redacted, and in rows of older versions."""
    redacted: Mapped[bool] = mapped_column(server_default=false())
    """True if personal data was blanked; a later row proves the remaining content."""
