"""The platform's six views in one request: bots, trading, performance, risk, portfolio, and what you have.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/07_dashboard_views.py [CAPITAL [CURRENCY]]

CAPITAL (10000) is what you began with, for the depth of the drawdown in per cent. FULLON_URL names another server
than http://127.0.0.1:8000.
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
    """The data of one operation. An error ends the program with its code and sentence."""
    try:
        answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    except httpx.ConnectError:
        sys.exit(f"No server at {URL}. Start one with: make demo")
    for error in answer.get("errors", []):
        sys.exit(f"{error['extensions']['code']}: {error['message']}")
    return answer["data"]


def said(value: object) -> str:
    """A figure as people read it; null means that nobody can say."""
    match value:
        case None:
            return "nobody can say"
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
            print(f"  {name:22} {said(value):>18}")


if __name__ == "__main__":
    main(*sys.argv[1:])
