"""Results over time: the weeks of each bot, and the equity curve of one.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/25_results_over_time.py [DAYS [BOT]]

for the last DAYS (90), with the curve of the bot with the key BOT (1). FULLON_URL names another server than
http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
POINTS = 10

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""
RESULTS = """query ($days: Int!, $bot: Int!) {
  dailyResults(period: WEEK, groupBy: BOT, days: $days) {
    currency
    groups { name time closedTrades netProfit }
  }
  equityCurve(botId: $bot, days: $days, resolution: D1) {
    time realizedProfit unrealizedProfit equity drawdown benchmarkReturn
  }
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


def day(milliseconds: float) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d}"


def figure(value: float | None, form: str = ".2f") -> str:
    """A formatted number, or a dash for null."""
    return "-" if value is None else format(value, form)


def main(days: str = "90", bot: str = "1") -> None:
    with httpx.Client(base_url=URL, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {ask(client, LOGIN)['login']['accessToken']}"
        data = ask(client, RESULTS, days=int(days), bot=int(bot))

    print(f"results by week, in {data['dailyResults']['currency']}")
    for group in data["dailyResults"]["groups"]:
        print(f"  {group['name'] or 'no bot'}")
        for time, closed, profit in zip(group["time"], group["closedTrades"], group["netProfit"], strict=True):
            print(f"    {day(time)} {closed:4} closed {figure(profit):>12}")

    curve = data["equityCurve"]
    print(f"equity of bot {bot}")
    names = ("realizedProfit", "unrealizedProfit", "equity", "drawdown", "benchmarkReturn")
    step = max(1, len(curve["time"]) // POINTS)
    for place in range(0, len(curve["time"]), step):
        realized, unrealized, equity, drawdown, held = (curve[name][place] for name in names)
        print(
            f"  {day(curve['time'][place])} {figure(realized):>12} + {figure(unrealized):>10} = {figure(equity):>12}"
            f"  drawdown {figure(drawdown):>10}  coin {figure(held, '+.1%'):>7}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
