"""Bots, the accounts they trade on, what they say and what they simulated."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    ForeignKey,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import UTC_NOW, Base


class Bot(Base):
    """A trading robot of one person. Two bots may share a name: `bot_id_name_unique` includes the key."""

    __tablename__ = "bots"
    __table_args__ = (
        PrimaryKeyConstraint("bot_id", name="bot_pk"),
        UniqueConstraint("bot_id", "name", name="bot_id_name_unique"),
    )

    bot_id: Mapped[int]
    uid: Mapped[int] = mapped_column(ForeignKey("users.uid", onupdate="CASCADE", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(50))
    dry_run: Mapped[bool | None] = mapped_column(server_default=false())
    """True where the bot only simulates its trades."""
    active: Mapped[bool] = mapped_column(server_default=false())
    timestamp: Mapped[datetime] = mapped_column(server_default=UTC_NOW)


class BotExchange(Base):
    """A bot may trade on an account."""

    __tablename__ = "bot_exchanges"
    __table_args__ = (UniqueConstraint("bot_id", "ex_id", name="unique_record"),)

    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.bot_id", ondelete="CASCADE"))
    ex_id: Mapped[int] = mapped_column(ForeignKey("exchanges.ex_id", ondelete="CASCADE"))

    # The table has no primary key; its unique columns identify a row just as well.
    __mapper_args__ = {"primary_key": ["bot_id", "ex_id"]}


class BotLog(Base):
    """One line a bot wrote about one of its feeds."""

    __tablename__ = "bot_log"

    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.bot_id", ondelete="CASCADE"))
    feed_num: Mapped[int] = mapped_column(SmallInteger)
    ex_id: Mapped[int]
    symbol: Mapped[str]
    position: Mapped[Decimal]
    message: Mapped[str]
    timestamp: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.current_timestamp())
    """The only column of the platform that is stored with a time zone."""

    # The table has no key at all; rows that agree in everything say the same.
    __mapper_args__ = {"primary_key": ["bot_id", "timestamp", "feed_num", "ex_id", "symbol", "position", "message"]}


class Simulation(Base):
    """The result of one simulated run of a bot."""

    __tablename__ = "simulations"
    __table_args__ = (
        PrimaryKeyConstraint("num", name="serial_primary"),
        UniqueConstraint("bot_id", "name", name="bot_name"),
    )

    num: Mapped[int]
    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.bot_id"))
    name: Mapped[str] = mapped_column(String(35))
    json: Mapped[Any | None] = mapped_column(JSON)
