"""Statistics of your trades: in total, by instrument and by bot.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/06_trade_analytics.py [DAYS [CURRENCY]]

for the last DAYS (90), with money in CURRENCY (USD). FULLON_URL names another server than http://127.0.0.1:8000.
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
FIGURES = "closedTrades winRate profitFactor netProfit unpriced"
ANALYTICS = f"""query ($days: Int!, $currency: String!) {{
  tradeStatistics(days: $days, currency: $currency) {{ {FIGURES} }}
  symbolStatistics(days: $days, currency: $currency) {{ symbol statistics {{ {FIGURES} }} }}
  bots {{ nodes {{ name statistics(days: $days, currency: $currency) {{ {FIGURES} kind }} }} }}
}}"""


def ask(client: httpx.Client, query: str, **variables: object) -> Any:
    """The data of one operation. An error exits the program with its code and message."""
    try:
        answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    except httpx.ConnectError:
        sys.exit(f"No server at {URL}. Start one with: make demo")
    for error in answer.get("errors", []):
        sys.exit(f"{error['extensions']['code']}: {error['message']}")
    return answer["data"]


def figure(value: float | None, form: str = ".2f") -> str:
    """A formatted number, or a dash for null."""
    return "-" if value is None else format(value, form)


def show(name: str, found: dict[str, Any]) -> None:
    won, factor, net = figure(found["winRate"], ".0%"), figure(found["profitFactor"]), figure(found["netProfit"])
    unpriced = f"  no price for {', '.join(found['unpriced'])}" if found["unpriced"] else ""
    print(f"{name:28} {found['closedTrades']:6} closed {won:>5} won {factor:>7} factor {net:>12}{unpriced}")


def main(days: str = "90", currency: str = "USD") -> None:
    with httpx.Client(base_url=URL, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {ask(client, LOGIN)['login']['accessToken']}"
        data = ask(client, ANALYTICS, days=int(days), currency=currency)

    show(f"all, in {currency}", data["tradeStatistics"])
    for one in data["symbolStatistics"]:
        show(one["symbol"], one["statistics"])
    for bot in data["bots"]["nodes"]:
        show(f"{bot['name']} ({bot['statistics']['kind'].lower()})", bot["statistics"])


if __name__ == "__main__":
    main(*sys.argv[1:])
