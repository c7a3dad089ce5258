"""Bots, their accounts, logs and simulations."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import UTC_NOW, Base, Instant, list_indexes


class Bot(Base):
    """A trading bot of one user. Two bots may share a name: `bot_id_name_unique` includes the key."""

    __tablename__ = "bots"
    __table_args__ = (
        PrimaryKeyConstraint("bot_id", name="bot_pk"),
        UniqueConstraint("bot_id", "name", name="bot_id_name_unique"),
        *list_indexes(("uid",), order="bot_id"),
    )

    bot_id: Mapped[int]
    uid: Mapped[int] = mapped_column(ForeignKey("users.uid", onupdate="CASCADE", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(50))
    dry_run: Mapped[bool | None] = mapped_column(server_default=false())
    """True if the bot only simulates its trades."""
    active: Mapped[bool] = mapped_column(server_default=false())
    timestamp: Mapped[datetime] = mapped_column(server_default=UTC_NOW)


class BotExchange(Base):
    """The link between a bot and an account it trades on."""

    __tablename__ = "bot_exchanges"
    __table_args__ = (UniqueConstraint("bot_id", "ex_id", name="unique_record"),)

    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.bot_id", ondelete="CASCADE"))
    ex_id: Mapped[int] = mapped_column(ForeignKey("exchanges.ex_id", ondelete="CASCADE"))

    # The table has no primary key; its unique columns identify a row just as well.
    __mapper_args__ = {"primary_key": ["bot_id", "ex_id"]}


class BotLog(Base):
    """One log line of a bot about one of its feeds."""

    __tablename__ = "bot_log"
    __table_args__ = list_indexes(("bot_id",))

    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.bot_id", ondelete="CASCADE"))
    feed_num: Mapped[int] = mapped_column(SmallInteger)
    ex_id: Mapped[int]
    symbol: Mapped[str]
    position: Mapped[Decimal]
    message: Mapped[str]
    timestamp: Mapped[datetime] = mapped_column(Instant(), server_default=func.current_timestamp())
    """The only column of the platform with a time zone."""

    # The table has no key; rows with equal values are equivalent.
    __mapper_args__ = {"primary_key": ["bot_id", "timestamp", "feed_num", "ex_id", "symbol", "position", "message"]}


class Simulation(Base):
    """The result of one simulation of a bot."""

    __tablename__ = "simulations"
    __table_args__ = (
        PrimaryKeyConstraint("num", name="serial_primary"),
        UniqueConstraint("bot_id", "name", name="bot_name"),
        *list_indexes(("bot_id",), order="num"),
    )

    num: Mapped[int]
    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.bot_id"))
    name: Mapped[str] = mapped_column(String(35))
    json: Mapped[Any | None] = mapped_column(JSON)
