"""Orders."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, PrimaryKeyConstraint, String, false
from sqlalchemy.orm import Mapped, mapped_column

from fullon_graphql.models.base import UTC_NOW, Base, list_indexes


class Order(Base):
    """An order. `status` and `side` are free text in any letter case; nothing here has a foreign key."""

    __tablename__ = "orders"
    __table_args__ = (
        PrimaryKeyConstraint("order_id", name="orders_pk"),
        Index("uid_ex_id", "uid", "ex_id", "status"),
        Index("bot_symbol_index", "bot_id", "status", "symbol"),
        *list_indexes(
            ("bot_id",),
            ("uid",),
            ("uid", "ex_id"),
            ("symbol", "cat_ex_id"),
            ("ex_order_id", "ex_id", "uid"),
            order="order_id",
        ),
    )

    order_id: Mapped[int]
    bot_id: Mapped[int]
    uid: Mapped[int]
    ex_id: Mapped[int]
    cat_ex_id: Mapped[int]
    ex_order_id: Mapped[str | None] = mapped_column(String(64))
    """The exchange's id of the order, once it has one."""
    exchange: Mapped[str] = mapped_column(String(50))
    symbol: Mapped[str] = mapped_column(String(20))
    order_type: Mapped[str] = mapped_column(String(15))
    side: Mapped[str] = mapped_column(String(4))
    volume: Mapped[float]
    """Ordered volume, in base currency."""
    final_volume: Mapped[float | None]
    """Filled volume, in base currency."""
    price: Mapped[float | None]
    plimit: Mapped[float | None]
    """The limit price of a stop order."""
    tick: Mapped[float | None]
    """The market price at the time of the order."""
    leverage: Mapped[float | None]
    futures: Mapped[bool] = mapped_column(server_default=false())
    status: Mapped[str] = mapped_column(String(20))
    command: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(35))
    timestamp: Mapped[datetime] = mapped_column(server_default=UTC_NOW)
