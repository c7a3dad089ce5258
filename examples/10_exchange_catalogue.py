"""Every exchange with its instruments and live prices, and every instrument of one currency.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/10_exchange_catalogue.py [CURRENCY]

FULLON_URL names another server than http://127.0.0.1:8000.
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
# Nested lists: each exchange has its own page of instruments, and all pages are one SQL statement.
CATALOGUE = """query ($currency: String!) {
  catExchanges {
    name
    symbols(first: 100, orderBy: [{ field: SYMBOL }]) {
      totalCount
      nodes { symbol decimals futures onlyTicker ticker { price ageMs } }
    }
  }
  symbols(filter: { base: { eq: $currency } }, orderBy: [{ field: CAT_EX_ID }, { field: SYMBOL }]) {
    nodes { symbol exchange { name } }
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


def show(exchange: dict[str, Any]) -> None:
    print(f"{exchange['name']}: {exchange['symbols']['totalCount']} instruments")
    for one in exchange["symbols"]["nodes"]:
        price = "no price yet" if one["ticker"] is None else f"{one['ticker']['price']:.{one['decimals']}f}"
        kind = "futures" if one["futures"] else "price only" if one["onlyTicker"] else "spot"
        print(f"  {one['symbol']:12} {kind:10} {price:>14}")


def main(currency: str = "BTC") -> None:
    with httpx.Client(base_url=URL) as client:
        client.headers["Authorization"] = f"Bearer {ask(client, LOGIN)['login']['accessToken']}"
        data = ask(client, CATALOGUE, currency=currency)

    for exchange in data["catExchanges"]:
        show(exchange)
    places = ", ".join(f"{one['symbol']} on {one['exchange']['name']}" for one in data["symbols"]["nodes"])
    print(f"{currency} is traded as {places or 'nothing'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
