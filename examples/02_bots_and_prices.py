"""Your bots, their newest orders, and live prices: two stores in one request.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/02_bots_and_prices.py [MAIL [PASSWORD]]

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
DEMO_PASSWORD = "fullon-demo"

LOGIN = """mutation ($mail: String!, $password: String!) {
  login(mail: $mail, password: $password) { accessToken }
}"""
BOTS = """{
  bots {
    nodes {
      name active dryRun
      orders(last: 3) { totalCount nodes { side volume symbol status price ticker { price } } }
    }
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


def show(bot: dict[str, Any]) -> None:
    kind = "rehearses" if bot["dryRun"] else "trades" if bot["active"] else "is switched off"
    print(f"{bot['name']} {kind}, {bot['orders']['totalCount']} orders so far")
    for order in bot["orders"]["nodes"]:
        limit = "market" if order["price"] is None else f"{order['price']:.2f}"
        now = "unknown" if order["ticker"] is None else f"{order['ticker']['price']:.2f}"
        print(f"  {order['side']:4} {order['volume']:>12.6f} {order['symbol']:12} at {limit:>9}, now {now:>9}", end="")
        print(f"  {order['status']}")


def main(mail: str = "trader@fullon", password: str = DEMO_PASSWORD) -> None:
    with httpx.Client(base_url=URL, timeout=30) as client:
        session = ask(client, LOGIN, mail=mail, password=password)["login"]
        client.headers["Authorization"] = f"Bearer {session['accessToken']}"
        for bot in ask(client, BOTS)["bots"]["nodes"]:
            show(bot)


if __name__ == "__main__":
    main(*sys.argv[1:])
