"""The platform's tables as SQLAlchemy models, for the peers that are built on it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """All of them."""


class User(Base):
    __tablename__ = "users"

    uid: Mapped[int] = mapped_column(primary_key=True)
    mail: Mapped[str]


class Bot(Base):
    __tablename__ = "bots"

    bot_id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[int] = mapped_column(ForeignKey("users.uid"))
    name: Mapped[str]
    active: Mapped[bool]
    dry_run: Mapped[bool]
    timestamp: Mapped[datetime]
    user: Mapped[User] = relationship(User)
    orders: Mapped[list[Order]] = relationship(back_populates="bot")


class CatExchange(Base):
    __tablename__ = "cat_exchanges"

    cat_ex_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Symbol(Base):
    __tablename__ = "symbols"

    symbol_id: Mapped[int] = mapped_column(primary_key=True)
    cat_ex_id: Mapped[int] = mapped_column(ForeignKey("cat_exchanges.cat_ex_id"))
    symbol: Mapped[str]
    base: Mapped[str]
    decimals: Mapped[int]
    exchange: Mapped[CatExchange] = relationship(CatExchange)


class Order(Base):
    __tablename__ = "orders"

    order_id: Mapped[int] = mapped_column(primary_key=True)
    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.bot_id"))
    uid: Mapped[int]
    cat_ex_id: Mapped[int]
    symbol: Mapped[str]
    side: Mapped[str]
    volume: Mapped[float]
    price: Mapped[float | None]
    status: Mapped[str]
    timestamp: Mapped[datetime]
    bot: Mapped[Bot] = relationship(Bot, back_populates="orders")
    instrument: Mapped[Symbol] = relationship(
        Symbol,
        primaryjoin="and_(foreign(Order.symbol) == Symbol.symbol, foreign(Order.cat_ex_id) == Symbol.cat_ex_id)",
        viewonly=True,
    )


class Candle(Base):
    __tablename__ = "btc_usd_candles1m"
    __table_args__ = {"schema": "kraken"}

    timestamp: Mapped[datetime] = mapped_column(primary_key=True)
    open: Mapped[float]
    high: Mapped[float]
    low: Mapped[float]
    close: Mapped[float]
    vol: Mapped[float]
