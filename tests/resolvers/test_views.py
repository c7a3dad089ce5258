"""Statistics in the graph; their figures are tested with the services."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from fullon_graphql import models
from fullon_graphql.cache import accounts, tickers
from fullon_graphql.cache.accounts import Balance
from fullon_graphql.cache.client import recorded_commands
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.database import Database
from tests.conftest import Count
from tests.fixtures.graph import ANONYMOUS, GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order
from tests.services.trade_rows import DAY_ONE, dry, fill, live

VIEWS = """query ($uid: Int) {
  botDashboard(uid: $uid) { totalBots }
  tradingOverview(uid: $uid) { totalTrades totalVolume activePairs successRate }
  performanceMetrics(uid: $uid) { winRate profitFactor sharpeRatio }
  riskMetrics(uid: $uid, capital: 100) { valueAtRisk maxDrawdown maxDrawdownFraction riskScore }
  userSummary(uid: $uid) { uid accountBalance totalValue dailyPnl }
  portfolioStats(uid: $uid) { totalAssets assetAllocation { currency weight } diversificationScore }
  symbolStatistics(uid: $uid) { symbol statistics { netProfit } }
  orderStatistics(uid: $uid) { byStatus { status count } }
}"""


@pytest.fixture
async def world(graph: GraphClient, platform: Database, redis: Redis) -> GraphClient:
    """Bot 1 of the trader has profits of 30 and losses of 10, 75 dollars and half a BTC at 50; bot 6 has a profit of 500."""
    await add(platform, models.Order, order(900, 1, TRADER, ex_order_id="A"), order(901, 6, OTHER, ex_order_id="F"))
    await fill(
        platform, live(0, 30.0, ex_order_id="A"), live(1, -10.0, ex_order_id="A"),
        live(0, 500.0, uid=OTHER, ex_id=30, ex_order_id="F"), dry(0, 7.0), dry(0, 9.0, bot_id=6, uid=OTHER),
    )  # fmt: skip
    await tickers.write(redis, [Ticker("kraken", "BTC/USD", 50, 1)])
    await accounts.write(redis, {20: [Balance(20, "USD", 75, 75, 0), Balance(20, "BTC", 0.5, 0.5, 0)]}, {})
    return graph


async def test_every_view_returns_its_figures(world: GraphClient) -> None:
    data = await world.as_(principal(TRADER)).data(VIEWS)
    assert data.pop("orderStatistics") == {"byStatus": [{"status": "open", "count": 41}]}
    assert data.pop("performanceMetrics")["sharpeRatio"] == pytest.approx(10 / 800**0.5 * 365**0.5)
    assert data == {
        "botDashboard": {"totalBots": 5},
        "tradingOverview": {"totalTrades": 2, "totalVolume": 200.0, "activePairs": 1, "successRate": 0.5},
        "riskMetrics": {
            "valueAtRisk": None,
            "maxDrawdown": 10.0,
            "maxDrawdownFraction": pytest.approx(10 / 130),
            "riskScore": pytest.approx(100 * 10 / 30),
        },
        "userSummary": {"uid": TRADER, "accountBalance": 100.0, "totalValue": 100.0, "dailyPnl": 0.0},
        "portfolioStats": {
            "totalAssets": 2,
            "assetAllocation": [{"currency": "USD", "weight": 0.75}, {"currency": "BTC", "weight": 0.25}],
            "diversificationScore": pytest.approx(1 - 0.5625 - 0.0625),
        },
        "symbolStatistics": [{"symbol": "BTC/USD", "statistics": {"netProfit": 20.0}}],
    }


async def test_administrator_views_cover_all_users_or_one(world: GraphClient) -> None:
    admin = world.as_(principal(ADMIN, admin=True))
    asked = "query ($uid: Int) { tradeStatistics(uid: $uid) { netProfit } botDashboard(uid: $uid) { totalBots } }"
    assert await admin.data(asked) == {"tradeStatistics": {"netProfit": 520}, "botDashboard": {"totalBots": 6}}
    assert await admin.data(asked, uid=OTHER) == {
        "tradeStatistics": {"netProfit": 500},
        "botDashboard": {"totalBots": 1},
    }


async def test_views_of_a_foreign_user_are_empty_or_not_found(world: GraphClient) -> None:
    answer = await world.as_(principal(TRADER)).ask(VIEWS.replace("userSummary", "none: userSummary"), uid=OTHER)
    assert answer.codes == ["NOT_FOUND"]
    assert answer.data is None
    data = await world.as_(principal(TRADER)).data(
        f"{{ tradingOverview(uid: {OTHER}) {{ totalTrades totalVolume }} tradeStatistics(botId: 6) {{ totalTrades }}"
        f" portfolioStats(exId: 30) {{ accounts totalValue }} }}"
    )
    assert data == {
        "tradingOverview": {"totalTrades": 0, "totalVolume": 0.0},
        "tradeStatistics": {"totalTrades": 0},
        "portfolioStats": {"accounts": 0, "totalValue": None},
    }


@pytest.mark.parametrize("field", ["botDashboard { totalBots }", "tradeStatistics { kind }", "riskMetrics { days }",
                                   "userSummary { uid }", "portfolioStats { accounts }", "symbolStatistics { symbol }",
                                   "orderStatistics { buys }"])  # fmt: skip
async def test_views_require_authentication(world: GraphClient, field: str) -> None:
    assert (await world.as_(ANONYMOUS).ask(f"{{ {field} }}")).codes == ["UNAUTHENTICATED"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [("days: 0", "days"), ('days: 1, from: "2026-01-01T00:00:00Z"', "days"), ('symbol: "\\u0000"', "symbol")],
)
async def test_invalid_view_arguments_are_bad_user_input(world: GraphClient, arguments: str, field: str) -> None:
    answer = await world.as_(principal(TRADER)).ask(f"{{ tradeStatistics({arguments}) {{ kind }} }}")
    assert [error["extensions"] for error in answer.errors] == [{"code": "BAD_USER_INPUT", "field": field}]


async def test_bot_in_dry_run_counts_simulated_trades(world: GraphClient) -> None:
    asked = "{ bots { nodes { botId statistics { kind netProfit } dry: statistics(kind: DRY) { netProfit } } } }"
    nodes = (await world.as_(principal(ADMIN, admin=True)).data(asked))["bots"]["nodes"]
    figures = {node["botId"]: (*node["statistics"].values(), node["dry"]["netProfit"]) for node in nodes}
    assert figures == {1: ("LIVE", 20, 7)} | dict.fromkeys((2, 3, 4, 5), ("LIVE", 0, 0)) | {6: ("DRY", 9, 9)}


async def test_bot_statistics_are_limited_to_the_period(world: GraphClient) -> None:
    asked = (
        'query ($from: DateTime) { bot(botId: 1) { statistics(from: $from, currency: "BTC") { netProfit currency } } }'
    )
    later = (DAY_ONE + timedelta(days=1)).isoformat()
    data = await world.as_(principal(TRADER)).data(asked, **{"from": later})
    assert data["bot"]["statistics"] == {"netProfit": pytest.approx(-0.2), "currency": "BTC"}


async def test_nested_statistics_take_the_same_statements_for_many(world: GraphClient, statements: Count) -> None:
    for first in (2, 6):  # the second user is the trader, with accounts
        asked = (
            f"{{ bots(first: {first}) {{ nodes {{ statistics(kind: LIVE) {{ winRate }} }} }} users(first: {first}) {{"
        )
        called: list[str] = []
        with statements() as seen, recorded_commands(called):
            await world.as_(principal(ADMIN, admin=True)).data(asked + " nodes { summary { dailyPnl } } } }")
        # bots; prices and trades of bots; users; prices, accounts and trades of users
        assert len(seen) == 7
        # tickers of two exchanges for bots; the same, balances and positions for users
        assert len(called) == 6
