"""Webhooks and the log of their deliveries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, DateTime, ForeignKey, Identity, LargeBinary, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import OWN_SCHEMA, SECRET, Base

Instant = DateTime(timezone=True)


class Webhook(Base):
    """An address that receives the events of a user; `services/webhooks` delivers them."""

    __tablename__ = "webhooks"
    __table_args__ = {"schema": OWN_SCHEMA}

    webhook_id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    uid: Mapped[int] = mapped_column(index=True)
    """`users.uid`, without a foreign key: no table of ours depends on the platform's."""
    name: Mapped[str]
    url: Mapped[str]
    streams: Mapped[list[str]] = mapped_column(ARRAY(Text))
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """The kinds of changes that are delivered; empty for all."""
    bot_id: Mapped[int | None]
    """The bot whose events are delivered; null for all."""
    secret: Mapped[bytes] = mapped_column(LargeBinary, info=SECRET)
    """The key of the signatures, encrypted (`services/webhooks/signing.py`)."""
    state: Mapped[str] = mapped_column(server_default=text("'ACTIVE'"))
    reason: Mapped[str | None]
    """Why it is not active."""
    cursor_xid: Mapped[int] = mapped_column(BigInteger)
    cursor_seq: Mapped[int] = mapped_column(BigInteger)
    """The position in the change feed up to which every event has been delivered."""
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    """Failed attempts since the last delivery."""
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    """The earliest time of the next attempt; null if none has failed since the last delivery."""
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class WebhookDelivery(Base):
    """An attempt to deliver an event, or a test that waits to be sent."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = {"schema": OWN_SCHEMA}

    delivery_id: Mapped[int] = mapped_column(BigInteger, Identity(always=False), primary_key=True)
    webhook_id: Mapped[int] = mapped_column(
        ForeignKey(f"{OWN_SCHEMA}.webhooks.webhook_id", ondelete="CASCADE"), index=True
    )
    event_id: Mapped[str]
    """The id of the event, equal in all attempts."""
    event_type: Mapped[str]
    event_cursor: Mapped[str | None]
    """Null for a test."""
    attempt: Mapped[int]
    outcome: Mapped[str]
    status_code: Mapped[int | None]
    error: Mapped[str | None]
    duration_ms: Mapped[float | None]
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
