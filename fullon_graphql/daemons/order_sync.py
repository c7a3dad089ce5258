"""Brings stored orders of an account up to date, and stores its fills as trades, each once.

Everything may be repeated, late or out of order, and several processes may do it at the same time: an order is locked
while it is changed and only moves forward, and the two ids of a trade are unique in the table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from sqlalchemy import Row, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.daemons.feeds.account_feed import Account, Fill, OrderReport, ReadingRequest
from fullon_graphql.database import Database
from fullon_graphql.models import Order, Trade
from fullon_graphql.models.order_status import FINAL, PROGRESS, is_open, known_status

log = structlog.get_logger(__name__)

FIRST_FILLS: Final = 7 * 86_400.0
"""Seconds of the past of which fills are stored for an account without trades."""

OVERLAP: Final = 3600.0
"""Seconds before the newest stored trade from which fills are requested again: some become visible late."""

MOST_ORDERS: Final = 500
"""Open orders of an account that are brought up to date, the newest ones."""

UNKNOWN_TYPE: Final = "unknown"
"""The order type of a trade if neither the exchange nor a stored order says it."""


class OrderSync:
    """The stored orders and trades of one account. Orders that are not stored are never created."""

    def __init__(self, database: Database, account: Account) -> None:
        self._database = database
        self._account = account
        self._fills_since: float | None = None
        self._stored: set[tuple[str, str]] = set()
        """The trades that are known to be stored, of the span that is requested again."""

    async def next_reading(self) -> ReadingRequest:
        """The stored orders that are not final, and the time from which fills are needed."""
        query = (
            select(Order.ex_order_id, Order.symbol)
            .where(*self._own(Order), is_open(), Order.ex_order_id.is_not(None))
            .order_by(Order.timestamp.desc())
            .limit(MOST_ORDERS)
        )
        orders = {row.ex_order_id: row.symbol for row in await self._database.rows(query) if row.ex_order_id}
        if self._fills_since is None:
            self._fills_since = await self._first_fills()
        return ReadingRequest(orders, self._fills_since)

    async def store(
        self, reports: Sequence[OrderReport], fills: Sequence[Fill], require_lease: Callable[[], None]
    ) -> None:
        """Store all in one transaction. `require_lease` is called before it is committed."""
        fresh = [fill for fill in fills if (fill.ex_trade_id, fill.ex_order_id) not in self._stored]
        if reports or fresh:

            async def work(connection: AsyncConnection) -> None:
                await self._update_orders(connection, {report.ex_order_id: report for report in reports})
                await self._insert_trades(connection, fresh)
                require_lease()

            await self._database.in_transaction(work)
        if fills:
            self._fills_since = max(self._fills_since or 0.0, fills[-1].time - OVERLAP)
            since = self._fills_since
            self._stored = {(fill.ex_trade_id, fill.ex_order_id) for fill in fills if fill.time >= since}

    async def _first_fills(self) -> float:
        newest = await self._database.row(select(func.max(Trade.time).label("time")).where(*self._own(Trade)))
        if newest is None or newest.time is None:
            return time.time() - FIRST_FILLS
        known: datetime = newest.time
        return min(known.replace(tzinfo=UTC).timestamp(), time.time()) - OVERLAP

    async def _update_orders(self, connection: AsyncConnection, reports: Mapping[str, OrderReport]) -> None:
        """Update the stored ones of the orders."""
        if not reports:
            return
        query = select(Order).where(*self._own(Order), Order.ex_order_id.in_(reports))
        for row in await connection.execute(query.order_by(Order.order_id).with_for_update()):
            if changes := changed_columns(row, reports[row.ex_order_id]):
                await connection.execute(update(Order).where(Order.order_id == row.order_id).values(**changes))

    async def _insert_trades(self, connection: AsyncConnection, fills: Sequence[Fill]) -> None:
        """Insert the trades that are not stored. Without the check each repetition would use up a key."""
        ids = [(fill.ex_trade_id, fill.ex_order_id) for fill in fills]
        if not ids:
            return
        same = select(Trade.ex_trade_id, Trade.ex_order_id).where(tuple_(Trade.ex_trade_id, Trade.ex_order_id).in_(ids))
        stored = {tuple(row) for row in await connection.execute(same)}
        types = await self._order_types(connection, {order_id for _, order_id in ids})
        rows = [
            self._trade(fill, types)
            for fill in fills
            if (fill.ex_trade_id, fill.ex_order_id) not in stored and _fits(fill)
        ]
        if rows:
            await connection.execute(insert(Trade).on_conflict_do_nothing(), rows)

    async def _order_types(self, connection: AsyncConnection, order_ids: Iterable[str]) -> dict[str, str]:
        """The types of stored orders: exchanges do not know all of ours, and some do not return them with fills."""
        query = select(Order.ex_order_id, Order.order_type).where(*self._own(Order), Order.ex_order_id.in_(order_ids))
        return {row.ex_order_id: row.order_type for row in await connection.execute(query) if row.ex_order_id}

    def _trade(self, fill: Fill, types: Mapping[str, str]) -> dict[str, Any]:
        if fill.fee is None:
            log.warning("account.fee_unknown", ex_id=self._account.ex_id, trade=fill.ex_trade_id)
        return {
            "ex_trade_id": fill.ex_trade_id, "ex_order_id": fill.ex_order_id, "uid": self._account.uid,
            "ex_id": self._account.ex_id, "symbol": fill.symbol, "side": fill.side, "volume": fill.volume,
            "order_type": (types.get(fill.ex_order_id) or fill.order_type or UNKNOWN_TYPE)[:15], "price": fill.price,
            "cost": fill.cost, "fee": fill.fee or 0.0, "time": datetime.fromtimestamp(fill.time, UTC),
        }  # fmt: skip

    def _own(self, table: type[Order] | type[Trade]) -> tuple[Any, Any]:
        """The condition of rows of the account. The owner is compared for the index."""
        return table.uid == self._account.uid, table.ex_id == self._account.ex_id


def changed_columns(row: Row[Any], report: OrderReport) -> dict[str, Any]:
    """The columns of a stored order that a report changes.

    The exchange's final status replaces every other one, also one that was set here, e.g. by a cancellation that came
    too late. Another status only moves forward, and the filled volume only grows.
    """
    changes: dict[str, Any] = {}
    status = known_status(row.status)
    if status != report.status and (report.status in FINAL or _is_progress(status, report.status)):
        changes["status"] = report.status
    if report.filled is not None and report.filled > (row.final_volume or 0.0):
        changes["final_volume"] = report.filled
    price = {"market": report.average, "limit": report.price}.get(row.order_type.lower())
    is_current = status not in FINAL or "status" in changes or "final_volume" in changes
    if price is not None and price != row.price and is_current:
        changes["price"] = price
    return changes


def _is_progress(before: str | None, after: str) -> bool:
    """True if the status of an order may become `after` by a report of an open order."""
    if before is None:
        return True
    return before in PROGRESS and PROGRESS.index(after) > PROGRESS.index(before)


def _fits(fill: Fill) -> bool:
    """False, with a log line, for a trade whose texts are too long for the table."""
    longest = {"ex_trade_id": 64, "ex_order_id": 64, "symbol": 20}
    too_long = [name for name, length in longest.items() if len(getattr(fill, name)) > length]
    if too_long:
        log.error("account.trade_left_out", trade=fill.ex_trade_id[:80], columns=too_long)
    return not too_long
