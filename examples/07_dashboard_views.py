"""The platform's six views in one request: bots, trading, performance, risk, portfolio and user summary.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/07_dashboard_views.py [CAPITAL [CURRENCY]]

CAPITAL (10000) is your capital before the first trade, the base of the drawdown as a fraction. FULLON_URL
names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""
VIEWS = """query ($capital: Float!, $currency: String!) {
  botDashboard { totalBots activeBots dryRunBots totalTrades openOrders }
  tradingOverview(currency: $currency) { totalVolume activePairs successRate }
  performanceMetrics(currency: $currency) { winRate profitFactor sharpeRatio }
  riskMetrics(currency: $currency, capital: $capital) { valueAtRisk maxDrawdown maxDrawdownFraction riskScore }
  portfolioStats(currency: $currency) { totalAssets totalValue diversificationScore unpriced }
  userSummary(currency: $currency) { accountBalance unrealizedPnl totalValue dailyPnl unpriced }
}"""


def ask(client: httpx.Client, query: str, **variables: object) -> Any:
    """The data of one operation. An error exits the program with its code and message."""
    try:
        answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    except httpx.ConnectError:
        sys.exit(f"No server at {URL}. Start one with: make demo")
    for error in answer.get("errors", []):
        sys.exit(f"{error['extensions']['code']}: {error['message']}")
    return answer["data"]


def formatted(value: object) -> str:
    """A formatted figure; null means that there is no data."""
    match value:
        case None:
            return "no data"
        case float():
            return f"{value:,.3f}"
        case list():
            return ", ".join(map(str, value)) or "nothing"
    return str(value)


def main(capital: str = "10000", currency: str = "USD") -> None:
    with httpx.Client(base_url=URL, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {ask(client, LOGIN)['login']['accessToken']}"
        views = ask(client, VIEWS, capital=float(capital), currency=currency)

    for view, figures in views.items():
        print(view)
        for name, value in figures.items():
            print(f"  {name:22} {formatted(value):>18}")


if __name__ == "__main__":
    main(*sys.argv[1:])
