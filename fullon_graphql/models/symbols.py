"""Instruments per exchange."""

from __future__ import annotations

from sqlalchemy import ForeignKey, PrimaryKeyConstraint, SmallInteger, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import Base


class Symbol(Base):
    """An instrument on one exchange, e.g. `BTC/USD`, `BTC/USD:BTC` or the slash-less `GOLD`."""

    __tablename__ = "symbols"
    __table_args__ = (
        PrimaryKeyConstraint("symbol_id", name="symbol_pk"),
        UniqueConstraint("symbol", "cat_ex_id", name="symbol_Exchange"),
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
