"""Halts of trading, and the switches that halt trading when a client is lost."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Identity, Index, Integer, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import OWN_SCHEMA, Base, Instant


class HaltScope(StrEnum):
    ALL = "ALL"
    EXCHANGE = "EXCHANGE"
    BOT = "BOT"


class SwitchState(StrEnum):
    ARMED = "ARMED"
    FIRED = "FIRED"
    DISARMED = "DISARMED"


# No table of ours depends on the platform's, so keys of users, accounts and bots have no foreign keys.


class TradingHalt(Base):
    """One halt of trading, in force until `ended_at` is set."""

    __tablename__ = "trading_halts"
    __table_args__ = {"schema": OWN_SCHEMA}

    halt_id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    uid: Mapped[int | None]
    """The owner of the halted bots and accounts; None if trading of all users is halted."""
    scope: Mapped[str]
    """A `HaltScope`. With EXCHANGE `ex_id` is set, with BOT `bot_id`."""
    ex_id: Mapped[int | None]
    bot_id: Mapped[int | None]
    reason: Mapped[str]
    since: Mapped[datetime] = mapped_column(Instant(), server_default=func.now())
    by: Mapped[int]
    """The account that has halted trading."""
    switch_id: Mapped[UUID | None]
    """The switch that has halted trading; None if a request has."""
    bots: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default=text("'{}'"))
    """The bots that the halt has switched off, which its end switches on again."""
    orders: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default=text("'{}'"))
    """The orders that the halt has canceled."""
    ended_at: Mapped[datetime | None] = mapped_column(Instant(), index=True)
    ended_by: Mapped[int | None]
    resumed: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default=text("'{}'"))
    """The bots that its end has switched on."""


class HaltSwitch(Base):
    """A dead-man's switch: unless `expires_at` is moved in time, trading of its owner is halted."""

    __tablename__ = "halt_switches"
    __table_args__ = (Index(None, "state", "expires_at"), {"schema": OWN_SCHEMA})

    switch_id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    uid: Mapped[int] = mapped_column(index=True)
    scope: Mapped[str]
    ex_id: Mapped[int | None]
    bot_id: Mapped[int | None]
    reason: Mapped[str]
    cancel_open: Mapped[bool]
    after_seconds: Mapped[int]
    state: Mapped[str]
    """A `SwitchState`."""
    subscription: Mapped[UUID]
    """The subscription that may renew it: the newest one."""
    armed_at: Mapped[datetime] = mapped_column(Instant(), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(Instant())
    """By the clock of PostgreSQL."""
    ended_at: Mapped[datetime | None] = mapped_column(Instant())
    """When it was fired or disarmed."""
    halt_id: Mapped[int | None]
    """The halt it has begun."""
