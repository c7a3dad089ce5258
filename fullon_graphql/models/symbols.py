"""Instruments per exchange."""

from __future__ import annotations

from sqlalchemy import ForeignKey, PrimaryKeyConstraint, SmallInteger, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import OWN_SCHEMA, Base, list_indexes


class Symbol(Base):
    """An instrument on one exchange, e.g. `BTC/USD`, `BTC/USD:BTC` or the slash-less `GOLD`."""

    __tablename__ = "symbols"
    __table_args__ = (
        PrimaryKeyConstraint("symbol_id", name="symbol_pk"),
        UniqueConstraint("symbol", "cat_ex_id", name="symbol_Exchange"),
        *list_indexes(("cat_ex_id",), order="symbol_id"),
    )

    symbol_id: Mapped[int]
    symbol: Mapped[str] = mapped_column(String(20))
    cat_ex_id: Mapped[int] = mapped_column(ForeignKey("cat_exchanges.cat_ex_id", ondelete="RESTRICT"))
    updateframe: Mapped[str] = mapped_column(String(2), server_default=text("'1h'"))
    backtest: Mapped[int] = mapped_column(SmallInteger, server_default=text("30"))
    """Days of history to collect."""
    decimals: Mapped[int] = mapped_column(SmallInteger, server_default=text("8"))
    base: Mapped[str] = mapped_column(String(6))
    quote: Mapped[str | None] = mapped_column(String(6))
    futures: Mapped[bool] = mapped_column(server_default=false())
    only_ticker: Mapped[bool] = mapped_column(server_default=false())
    """True if only tickers are collected, no candles."""


class SymbolStep(Base):
    """The limits of an exchange for orders for a symbol. The platform's table has no columns for them.

    `price_step` and `amount_step` are the smallest differences between two prices and between two volumes, and
    `min_notional` is the smallest value of an order, in quote currency. None if the exchange does not publish it.
    """

    __tablename__ = "symbol_steps"
    __table_args__ = {"schema": OWN_SCHEMA}

    symbol_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """`symbols.symbol_id`, without a foreign key: no table of ours depends on the platform's."""
    price_step: Mapped[float | None]
    amount_step: Mapped[float | None]
    min_notional: Mapped[float | None]
