"""Rows of trades that open or close a position, few enough to compute their figures by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import delete

from fullon_graphql.database import Database
from fullon_graphql.models import DryTrade, Trade
from tests.fixtures.rows import TRADER, add

DAY_ONE = datetime(2026, 3, 1, 8, tzinfo=UTC)

_numbers = count(10_000)


def live(day: float, roi: float | None = None, **values: Any) -> dict[str, Any]:
    """A live trade `day` days after `DAY_ONE`; a trade with a `roi` closes a position."""
    number = next(_numbers)
    defaults = {
        "trade_id": number, "ex_trade_id": str(number), "ex_order_id": str(number), "uid": TRADER, "ex_id": 20,
        "symbol": "BTC/USD", "order_type": "limit", "side": "Buy" if roi is None else "SELL", "volume": 1.0,
        "price": 100.0, "cost": 100.0, "fee": 0.5, "roi": roi, "roi_pct": roi, "cur_volume": None, "cur_avg_price": None,
        "time": DAY_ONE + timedelta(days=day),
    }  # fmt: skip
    return defaults | values


def dry(day: float, roi: float | None = None, **values: Any) -> dict[str, Any]:
    """A simulated trade of bot 1."""
    defaults = {
        "bot_id": 1, "uid": TRADER, "ex_id": 20, "symbol": "BTC/USD", "side": "buy" if roi is None else "Sell",
        "volume": 1.0, "price": 100.0, "cost": 100.0, "fee": 0.5, "roi": roi, "roi_pct": roi,
        "closingtrade": roi is not None, "reason": None, "timestamp": DAY_ONE + timedelta(days=day),
    }  # fmt: skip
    return defaults | values


async def fill(database: Database, *rows: dict[str, Any]) -> None:
    """Replace all trades by `rows`."""
    async with database.transaction() as connection:
        await connection.execute(delete(Trade))
        await connection.execute(delete(DryTrade))
    for table, time in ((Trade, "time"), (DryTrade, "timestamp")):
        if its := [row for row in rows if time in row]:
            await add(database, table, *its)
