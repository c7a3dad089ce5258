"""The life of a bot: dry run, creation, account, strategy, feed, an order, and deletion.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/08_life_of_a_bot.py [MAIL [PASSWORD]]

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys
from typing import Any
from uuid import uuid4

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
DEMO_PASSWORD = "fullon-demo"

LOGIN = """mutation ($mail: String!, $password: String!) {
  login(mail: $mail, password: $password) { accessToken }
}"""
# The parts of a bot: an account, an instrument of its exchange, and a strategy template.
PARTS = """{
  me { exchanges { exId name active catalog { symbols(first: 1) { nodes { symbolId symbol } } } } }
  catStrategies { nodes { catStrId name } }
}"""
DRY_RUN = """mutation ($name: String!) {
  createBot(input: {name: $name}, dryRun: true) { name active dryRun user { mail } }
}"""
# A repeated request with the same key creates one bot: a client may retry after a lost answer.
CREATE = """mutation ($name: String!, $key: String!) {
  createBot(input: {name: $name}, idempotencyKey: $key) { botId }
}"""
CONFIGURE = """mutation ($botId: Int!, $exId: Int!, $catStrId: Int!) {
  attachExchange(botId: $botId, exId: $exId) { exchanges { name } }
  createStrategy(input: {botId: $botId, catStrId: $catStrId, leverage: 2}) { strId params { name value } }
}"""
ADD_FEED = """mutation ($strId: Int!, $symbolId: Int!) {
  createFeed(input: {strId: $strId, symbolId: $symbolId, period: "Minutes", compression: 60}) {
    period compression symbol { symbol }
  }
}"""
ACTIVATE = "mutation ($botId: Int!) { updateBot(input: {botId: $botId, active: true}) { active timestamp } }"
ORDER = """mutation ($botId: Int!, $exId: Int!, $symbol: String!) {
  createOrder(input: {
    botId: $botId, exId: $exId, symbol: $symbol, side: BUY, orderType: "limit",
    volume: 0.01, price: 1, reason: "example"
  }) { orderId status exchange bot { name } }
}"""
CANCEL = "mutation ($orderId: Int!) { cancelOrder(orderId: $orderId) { status } }"
DELETE = "mutation ($botId: Int!) { deleteBot(botId: $botId) }"


def ask(client: httpx.Client, query: str, **variables: object) -> Any:
    """The data of one operation. An error exits the program with its code and message."""
    try:
        answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    except httpx.ConnectError:
        sys.exit(f"No server at {URL}. Start one with: make demo")
    for error in answer.get("errors", []):
        sys.exit(f"{error['extensions']['code']}: {error['message']}")
    return answer["data"]


def main(mail: str = "trader@fullon", password: str = DEMO_PASSWORD) -> None:
    with httpx.Client(base_url=URL, timeout=30) as client:
        session = ask(client, LOGIN, mail=mail, password=password)["login"]
        client.headers["Authorization"] = f"Bearer {session['accessToken']}"
        parts = ask(client, PARTS)
        account = next(account for account in parts["me"]["exchanges"] if account["active"])
        [instrument] = account["catalog"]["symbols"]["nodes"]
        template = parts["catStrategies"]["nodes"][0]

        preview = ask(client, DRY_RUN, name="example")["createBot"]
        kind = "simulated" if preview["dryRun"] else "live"
        print(f"dry run:    a bot of {preview['user']['mail']}, with {kind} trades")
        key = str(uuid4())
        first, repeated = (ask(client, CREATE, name="example", key=key)["createBot"]["botId"] for _ in range(2))
        print(f"created:    {'once, by two requests' if first == repeated else 'twice'}")

        configured = ask(client, CONFIGURE, botId=first, exId=account["exId"], catStrId=template["catStrId"])
        print(f"account:    {configured['attachExchange']['exchanges'][0]['name']}, {template['name']}")
        strategy = configured["createStrategy"]
        feed = ask(client, ADD_FEED, strId=strategy["strId"], symbolId=instrument["symbolId"])["createFeed"]
        print(f"feed:       {feed['symbol']['symbol']}, bars of {feed['compression']} {feed['period'].lower()}")

        print(f"active:     {ask(client, ACTIVATE, botId=first)['updateBot']['active']}")
        placed = ask(client, ORDER, botId=first, exId=account["exId"], symbol=instrument["symbol"])["createOrder"]
        print(f"order:      {placed['status']} on {placed['exchange']}")
        print(f"canceled:   {ask(client, CANCEL, orderId=placed['orderId'])['cancelOrder']['status']}")
        print(f"deleted:    {ask(client, DELETE, botId=first)['deleteBot']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
