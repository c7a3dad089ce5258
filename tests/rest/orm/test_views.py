"""The platform's views and statistics over REST: the figures of GraphQL under the platform's names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rest import Rest
from tests.fixtures.rows import ADMIN, OTHER, TRADER

pytestmark = pytest.mark.usefixtures("platform")

ROUTES: list[tuple[str, set[str]]] = [
    (f"views/bot-dashboard/{TRADER}", {"total_bots", "active_bots", "total_trades"}),
    ("views/trading-overview", {"total_volume", "active_pairs", "success_rate"}),
    ("views/performance-metrics", {"win_rate", "profit_factor", "sharpe_ratio"}),
    ("views/user-summary", {"account_balance", "total_value", "daily_pnl"}),
    ("views/portfolio-stats", {"total_assets", "asset_allocation", "diversification_score"}),
    ("views/risk-metrics", {"value_at_risk", "max_drawdown", "risk_score"}),
    ("trades/performance", {"win_rate"}),
    ("trades/stats", {"total_trades", "net_profit"}),
    ("trades/stats/overall", {"total_trades"}),
    ("trades/summary", {"total_trades"}),
    ("orders/stats", {"total_orders", "open_orders"}),
    ("bots/1/stats", {"live", "dry", "orders"}),
]


@pytest.mark.parametrize(("route", "names"), ROUTES)
async def test_views_have_the_names_of_the_platform(rest: Rest, route: str, names: set[str]) -> None:
    assert names <= (await (await rest.as_(TRADER)).get(f"orm/{route}")).keys()
    assert await rest.anonymous.refused(f"orm/{route}") == (401, "UNAUTHENTICATED")


async def test_figures_include_own_rows_only(rest: Rest) -> None:
    trader, other, admin = [await rest.as_(uid) for uid in (TRADER, OTHER, ADMIN)]
    for path, name, mine, theirs in (
        ("orders/stats", "total_orders", 40, 5), ("trades/stats", "total_trades", 9, 4), ("trades/stats?kind=dry", "total_trades", 6, 3)
    ):  # fmt: skip
        assert (await trader.get(f"orm/{path}"))[name] == mine
        assert (await other.get(f"orm/{path}"))[name] == theirs
        assert (await admin.get(f"orm/{path}"))[name] == mine + theirs
    [one] = await trader.get("orm/trades/symbol-performance")
    assert (one["symbol"], one["statistics"]["total_trades"]) == ("BTC/USD", 9)
    stats = await trader.get("orm/bots/1/stats")
    assert (stats["dry"]["total_trades"], stats["orders"]["total_orders"]) == (3, 8)


@pytest.mark.parametrize(
    "route",
    [f"views/bot-dashboard/{OTHER}", f"views/user-summary?user_id={OTHER}", "bots/6/stats", "views/bot-dashboard/777"],
)
async def test_views_of_foreign_users_are_not_found(rest: Rest, route: str) -> None:
    assert await (await rest.as_(TRADER)).refused(f"orm/{route}") == (404, "NOT_FOUND")


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


@pytest.mark.parametrize(
    ("route", "field", "names"),
    [("views/performance-metrics", "performanceMetrics", ["win_rate", "profit_factor", "sharpe_ratio", "closed_trades"]),
     ("views/risk-metrics", "riskMetrics", ["value_at_risk", "max_drawdown", "risk_score"])],
)  # fmt: skip
async def test_views_equal_those_of_graphql(
    rest: Rest, graph: GraphClient, route: str, field: str, names: list[str]
) -> None:
    answer: dict[str, Any] = await (await rest.as_(TRADER)).get(f"orm/{route}")
    data = await graph.as_(principal(TRADER)).data(f"{{ {field} {{ {' '.join(map(camel, names))} }} }}")
    assert data[field] == {camel(name): answer[name] for name in names}
