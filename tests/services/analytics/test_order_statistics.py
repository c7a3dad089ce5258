"""Statistics of orders, and the dashboard of bots."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.database import Database
from fullon_graphql.errors import Unauthenticated
from fullon_graphql.models import Bot, Order, User
from fullon_graphql.services.analytics import bot_dashboard, order_statistics
from fullon_graphql.services.analytics.bot_dashboard import BotDashboard
from fullon_graphql.services.analytics.ledger import Period, Scope
from fullon_graphql.services.analytics.order_statistics import OrderStatistics, StatusCount
from tests.fixtures.graph import principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order, person
from tests.services.trade_rows import DAY_ONE, dry, fill, live

ME, SOMEBODY, BOSS = principal(TRADER), principal(OTHER), principal(ADMIN, admin=True)
STATUSES = ["New", "OPEN", "partially_filled", "filled", "Filled", "canceled", "CANCELLED", "rejected", "lost"]


@pytest.fixture
async def orders(database: Database) -> Database:
    rows = [
        order(number, 1 + number % 2, TRADER, status=status, side="Buy" if number < 4 else "sell",
              timestamp=DAY_ONE + timedelta(days=number))
        for number, status in enumerate(STATUSES)
    ]  # fmt: skip
    await add(database, Order, *rows, order(50, 6, OTHER, status="filled", timestamp=DAY_ONE))
    return database


async def test_statuses_are_counted_in_any_case_and_spelling(orders: Database) -> None:
    """Filled 2, canceled 2 and rejected 1 are final; an unknown status is not."""
    assert await order_statistics.of_orders(orders, ME, Scope()) == OrderStatistics(
        total_orders=9, open_orders=4, filled_orders=2, canceled_orders=2, rejected_orders=1, buys=4, sells=5,
        fill_rate=pytest.approx(0.4),  # type: ignore[arg-type]  # it compares as a float
        by_status=[
            StatusCount("canceled", 1), StatusCount("cancelled", 1), StatusCount("filled", 2), StatusCount("lost", 1),
            StatusCount("new", 1), StatusCount("open", 1), StatusCount("partially_filled", 1), StatusCount("rejected", 1),
        ],
    )  # fmt: skip


async def test_scope_limits_the_orders(orders: Database) -> None:
    async def count(scope: Scope) -> int:
        return (await order_statistics.of_orders(orders, ME, scope)).total_orders

    assert await count(Scope(bot_ids=(1,))) == 5
    assert await count(Scope(period=Period(start=DAY_ONE + timedelta(days=1), end=DAY_ONE + timedelta(days=3)))) == 2
    assert (await count(Scope(symbol="none")), await count(Scope(ex_id=20)), await count(Scope(uid=OTHER))) == (0, 9, 0)


async def test_fill_rate_without_orders_is_null(database: Database) -> None:
    found = await order_statistics.of_orders(database, ME, Scope())
    assert (found.total_orders, found.fill_rate, found.by_status) == (0, None, [])


async def test_only_administrators_count_rows_of_other_users(orders: Database) -> None:
    await add(orders, User, person(TRADER), person(OTHER))
    await fill(orders, live(0), live(1, uid=OTHER), dry(0), dry(1, uid=OTHER), dry(1, uid=OTHER))
    await add(
        orders, Bot, {"bot_id": 1, "uid": TRADER, "name": "a", "active": True, "dry_run": None},
        {"bot_id": 2, "uid": TRADER, "name": "b", "active": False, "dry_run": True},
        {"bot_id": 6, "uid": OTHER, "name": "c", "active": True, "dry_run": False},
    )  # fmt: skip
    totals = [(await order_statistics.of_orders(orders, who, Scope())).total_orders for who in (ME, SOMEBODY, BOSS)]
    assert totals == [9, 1, 10]
    mine, all_ = BotDashboard(2, 1, 1, 1, 1, 9, 4), BotDashboard(3, 2, 1, 2, 3, 10, 4)
    others = BotDashboard(1, 1, 0, 1, 2, 1, 0)
    assert [await bot_dashboard.of_owner(orders, who) for who in (ME, SOMEBODY, BOSS)] == [mine, others, all_]
    assert await bot_dashboard.of_owner(orders, BOSS, TRADER) == mine
    assert await bot_dashboard.of_owner(orders, ME, OTHER) == BotDashboard(0, 0, 0, 0, 0, 0, 0)
    with pytest.raises(Unauthenticated):
        await bot_dashboard.of_owner(orders, Anonymous())
