"""Losing trades, the worst first: a filter, an order, and a cursor from page to page.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/13_losing_trades.py [DAYS [PAGE]]

of the last DAYS (7), in pages of PAGE (20). FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""
LOSSES = """query ($since: DateTime!, $first: Int!, $after: String) {
  trades(
    first: $first
    after: $after
    filter: { time: { gte: $since }, roi: { lt: 0 } }
    orderBy: [{ field: ROI }, { field: TIME, direction: DESC }]
  ) {
    nodes { time symbol side volume price roi account { name } order { reason bot { name } } }
    pageInfo { hasNextPage endCursor }
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


def losses(client: httpx.Client, since: datetime, page: int) -> Iterator[dict[str, Any]]:
    """Every losing trade once, over all pages, also while new trades are made."""
    after, more = None, True
    while more:
        found = ask(client, LOSSES, since=since.isoformat(), first=page, after=after)["trades"]
        yield from found["nodes"]
        after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]


def show(trade: dict[str, Any]) -> None:
    bot, reason = (trade["order"]["bot"]["name"], trade["order"]["reason"]) if trade["order"] else ("-", "-")
    print(f"{trade['roi']:>10.2f}  {trade['time'][:16]}  {trade['symbol']:12} {bot:18} {reason}")


def main(days: str = "7", page: str = "20") -> None:
    since = datetime.now(UTC) - timedelta(days=int(days))
    with httpx.Client(base_url=URL) as client:
        client.headers["Authorization"] = f"Bearer {ask(client, LOGIN)['login']['accessToken']}"
        lost = list(losses(client, since, int(page)))

    for trade in lost:
        show(trade)
    print(f"{len(lost)} trades lost money in {days} days")


if __name__ == "__main__":
    main(*sys.argv[1:])
