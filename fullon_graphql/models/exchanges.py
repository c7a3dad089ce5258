"""The catalogue of exchanges, and people's accounts on them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, PrimaryKeyConstraint, String, UniqueConstraint, false, true
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import SECRET, UTC_NOW, Base, list_indexes


class CatExchange(Base):
    """An exchange the platform can trade on; `name` is its lower-case id, e.g. `kraken`."""

    __tablename__ = "cat_exchanges"
    __table_args__ = (
        PrimaryKeyConstraint("cat_ex_id", name="cat_exchange_pk"),
        UniqueConstraint("name", name="unique_ex"),
    )

    cat_ex_id: Mapped[int]
    name: Mapped[str] = mapped_column(String(30))
    ohlcv_view: Mapped[str | None]
    """Base64 of the SQL of a candle view; empty in newer installations."""


class CatExchangeParam(Base):
    """A setting of a catalogued exchange. `value` may hold a secret."""

    __tablename__ = "cat_exchanges_params"
    __table_args__ = (UniqueConstraint("cat_ex_id", "name", name="unique_param_symbol"),)

    cat_ex_id: Mapped[int] = mapped_column(ForeignKey("cat_exchanges.cat_ex_id"))
    name: Mapped[str] = mapped_column(String(20))
    value: Mapped[str] = mapped_column(String(20), info=SECRET)

    # The table has no primary key; its unique columns identify a row just as well.
    __mapper_args__ = {"primary_key": ["cat_ex_id", "name"]}


class Exchange(Base):
    """One user's account on one exchange."""

    __tablename__ = "exchanges"
    __table_args__ = (
        PrimaryKeyConstraint("ex_id", name="exchange_pk"),
        UniqueConstraint("uid", "cat_ex_id", "name", name="unique_user_exchange"),
        *list_indexes(("uid",), ("cat_ex_id",), order="ex_id"),
    )

    ex_id: Mapped[int]
    uid: Mapped[int] = mapped_column(ForeignKey("users.uid", onupdate="CASCADE", ondelete="CASCADE"))
    cat_ex_id: Mapped[int] = mapped_column(
        ForeignKey("cat_exchanges.cat_ex_id", onupdate="RESTRICT", ondelete="RESTRICT")
    )
    name: Mapped[str] = mapped_column(String(50))
    test: Mapped[bool] = mapped_column(server_default=false())
    """True for the exchange's sandbox."""
    active: Mapped[bool] = mapped_column(server_default=true())
    timestamp: Mapped[datetime] = mapped_column(server_default=UTC_NOW)


class ExchangeHistory(Base):
    """The balance of one currency in an account at one time."""

    __tablename__ = "exchange_history"
    __table_args__ = list_indexes(("ex_id",))

    ex_id: Mapped[int] = mapped_column(ForeignKey("exchanges.ex_id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.uid"))
    currency: Mapped[str] = mapped_column(String(15))
    balance: Mapped[float]
    comment: Mapped[str | None]
    timestamp: Mapped[datetime]

    # The table has no key; rows that differ only in the comment are equivalent.
    __mapper_args__ = {"primary_key": ["ex_id", "timestamp", "currency", "user_id", "balance"]}
