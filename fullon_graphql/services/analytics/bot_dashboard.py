"""Counts of bots, trades and orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, Select, func, select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.database import Database
from fullon_graphql.models import Bot, DryTrade, Order, Trade
from fullon_graphql.models.order_status import is_open
from fullon_graphql.services.access import visible


@dataclass(frozen=True, slots=True)
class BotDashboard:
    """Counts over all time. `total_trades` counts live trades."""

    total_bots: int
    active_bots: int
    dry_run_bots: int
    total_trades: int
    total_dry_trades: int
    total_orders: int
    open_orders: int


async def of_owner(database: Database, caller: Caller, uid: int | None = None) -> BotDashboard:
    """The dashboard of all rows that `caller` may see, or of those that belong to `uid`, in one statement.

    Raises:
        Unauthenticated: the caller is not signed in.
    """

    def count(rows: Select[Any], owner: Any, *conditions: Any) -> ScalarSelect[int]:
        mine = [owner == uid] if uid is not None else []
        return (
            rows.where(*mine, *conditions).with_only_columns(func.count(), maintain_column_froms=True).scalar_subquery()
        )

    own_bots, own_orders = visible(Bot, caller), visible(Order, caller)
    counts = {
        "total_bots": count(own_bots, Bot.uid),
        "active_bots": count(own_bots, Bot.uid, Bot.active),
        "dry_run_bots": count(own_bots, Bot.uid, Bot.dry_run),
        "total_trades": count(visible(Trade, caller), Trade.uid),
        "total_dry_trades": count(visible(DryTrade, caller), DryTrade.uid),
        "total_orders": count(own_orders, Order.uid),
        "open_orders": count(own_orders, Order.uid, is_open()),
    }
    [row] = await database.rows(select(*(number.label(name) for name, number in counts.items())))
    return BotDashboard(**row._mapping)
