"""Statistics of orders by status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func

from fullon_graphql.auth.principal import Caller
from fullon_graphql.database import Database
from fullon_graphql.models import Order
from fullon_graphql.models.order_status import CANCELLATIONS, CLOSED
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics.ledger import Scope, scope_conditions


@dataclass(frozen=True, slots=True)
class StatusCount:
    """The number of orders with a status, in lower case."""

    status: str
    count: int


@dataclass(frozen=True, slots=True)
class OrderStatistics:
    """Counts of orders. `fill_rate`: filled / (filled + canceled + rejected), None if no order is final."""

    total_orders: int
    open_orders: int
    filled_orders: int
    canceled_orders: int
    rejected_orders: int
    buys: int
    sells: int
    fill_rate: float | None
    by_status: Sequence[StatusCount]


async def of_orders(database: Database, caller: Caller, scope: Scope) -> OrderStatistics:
    """The statistics of the orders of `scope` that `caller` may see, in one statement. `scope.kind` is ignored.

    Raises:
        Unauthenticated: the caller is not signed in.
        BadUserInput: the scope is invalid.
    """
    status, side = func.lower(Order.status), func.lower(Order.side)
    conditions = scope_conditions(scope, Order.uid, Order.ex_id, Order.symbol, Order.timestamp)
    if scope.bot_ids is not None:
        conditions.append(Order.bot_id.in_(scope.bot_ids))
    rows = await database.rows(
        visible(Order, caller)
        .where(*conditions)
        .with_only_columns(
            status.label("status"),
            func.count().label("total"),
            func.count().filter(side == "buy").label("buys"),
            func.count().filter(side == "sell").label("sells"),
        )
        .group_by(status)
        .order_by(status)
    )
    return _statistics(
        {row.status: row.total for row in rows}, sum(row.buys for row in rows), sum(row.sells for row in rows)
    )


def _statistics(totals: Mapping[str, int], buys: int, sells: int) -> OrderStatistics:
    def count_of(*statuses: str) -> int:
        return sum(totals.get(status, 0) for status in statuses)

    total, ended = sum(totals.values()), count_of(*CLOSED)
    filled = count_of("filled")
    return OrderStatistics(
        total_orders=total,
        open_orders=total - ended,
        filled_orders=filled,
        canceled_orders=count_of(*CANCELLATIONS),
        rejected_orders=count_of("rejected"),
        buys=buys,
        sells=sells,
        fill_rate=filled / ended if ended else None,
        by_status=[StatusCount(status, count) for status, count in totals.items()],
    )
