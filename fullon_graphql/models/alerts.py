"""Alerts: their rules, and the alerts that were raised."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, DateTime, Identity, Text, UniqueConstraint, func, true
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import OWN_SCHEMA, Base

Instant = DateTime(timezone=True)


class AlertRule(Base):
    """A condition of a user; `services/alerts` evaluates it."""

    __tablename__ = "alert_rules"
    __table_args__ = {"schema": OWN_SCHEMA}

    rule_id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    uid: Mapped[int] = mapped_column(index=True)
    name: Mapped[str]
    condition: Mapped[str]
    exchange: Mapped[str | None]
    symbol: Mapped[str | None]
    direction: Mapped[str]
    threshold: Mapped[float | None]
    window_seconds: Mapped[int | None]
    service: Mapped[str | None]
    """Null for any service."""
    bot_id: Mapped[int | None]
    currency: Mapped[str | None]
    capital: Mapped[float | None]
    statuses: Mapped[list[str]] = mapped_column(ARRAY(Text))
    once: Mapped[bool]
    cooldown_seconds: Mapped[int]
    active: Mapped[bool] = mapped_column(server_default=true())
    last_value: Mapped[float | None]
    """A value on the side of the threshold where the newest one was; null if none is known."""
    last_fired_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class AlertEvent(Base):
    """An alert that was raised."""

    __tablename__ = "alert_events"
    __table_args__ = (UniqueConstraint("rule_id", "subject"), {"schema": OWN_SCHEMA})

    alert_id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    uid: Mapped[int] = mapped_column(index=True)
    rule_id: Mapped[int]
    """Without a foreign key: an alert remains when its rule is deleted."""
    bot_id: Mapped[int | None]
    condition: Mapped[str]
    subject: Mapped[str | None]
    """The state of an order that raises an alert once only; null for other conditions."""
    message: Mapped[str]
    value: Mapped[float | None]
    raised_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now(), index=True)


class AlertCursor(Base):
    """The position in the change feed up to which orders were evaluated, in a single row."""

    __tablename__ = "alert_cursor"
    __table_args__ = {"schema": OWN_SCHEMA}

    single: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    xid: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
