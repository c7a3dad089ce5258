"""Live and simulated trades."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, PrimaryKeyConstraint, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import UTC_NOW, Base, list_indexes


class Trade(Base):
    """A live trade. It belongs to the order with the same `ex_order_id`, and through it to a bot."""

    __tablename__ = "trades"
    __table_args__ = (
        PrimaryKeyConstraint("trade_id", name="trades_pk"),
        UniqueConstraint("ex_trade_id", "ex_order_id", name="unique_order_id"),
        Index(None, "uid", "ex_id"),
        *list_indexes(("uid",), ("uid", "ex_id"), ("ex_order_id", "ex_id", "uid"), order="trade_id"),
    )

    trade_id: Mapped[int]
    ex_trade_id: Mapped[str] = mapped_column(String(64))
    ex_order_id: Mapped[str] = mapped_column(String(64))
    uid: Mapped[int]
    ex_id: Mapped[int]
    symbol: Mapped[str] = mapped_column(String(20))
    order_type: Mapped[str] = mapped_column(String(15))
    side: Mapped[str] = mapped_column(String(4))
    """In any letter case: older writers capitalise it."""
    volume: Mapped[float]
    price: Mapped[float]
    cost: Mapped[float]
    fee: Mapped[float]
    cur_volume: Mapped[float | None]
    """This and the next three: the position after the trade."""
    cur_avg_price: Mapped[float | None]
    cur_avg_cost: Mapped[float | None]
    cur_fee: Mapped[float | None]
    roi: Mapped[float | None]
    roi_pct: Mapped[float | None]
    total_fee: Mapped[float | None]
    leverage: Mapped[float | None]
    time: Mapped[datetime] = mapped_column(server_default=UTC_NOW)


class DryTrade(Base):
    """A simulated trade of a bot."""

    __tablename__ = "dry_trades"
    __table_args__ = (
        PrimaryKeyConstraint("trade_id", name="trades_simul_pk"),
        Index(None, "uid", "ex_id"),
        *list_indexes(("bot_id",), ("uid",), ("uid", "ex_id"), order="trade_id"),
    )

    trade_id: Mapped[int]
    bot_id: Mapped[int]
    uid: Mapped[int]
    ex_id: Mapped[int]
    symbol: Mapped[str] = mapped_column(String(20))
    side: Mapped[str] = mapped_column(String(4))
    volume: Mapped[float]
    price: Mapped[float]
    cost: Mapped[float]
    fee: Mapped[float]
    roi: Mapped[float | None]
    roi_pct: Mapped[float | None]
    reason: Mapped[str | None] = mapped_column(String(35))
    closingtrade: Mapped[bool] = mapped_column(server_default=false())
    timestamp: Mapped[datetime] = mapped_column(server_default=UTC_NOW)
