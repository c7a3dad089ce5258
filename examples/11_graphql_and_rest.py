"""The same data over GraphQL and over REST. Both use the same services and give the same answer.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/11_graphql_and_rest.py [MAIL [PASSWORD]]

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
DEMO_PASSWORD = "fullon-demo"

BOTS = "{ bots { nodes { botId name active exchanges { name } } } }"


def over_graphql(client: httpx.Client) -> list[str]:
    """One request with exactly the required fields."""
    answer = client.post("/graphql", json={"query": BOTS}).raise_for_status().json()
    bots = answer["data"]["bots"]["nodes"]
    return [line(bot["botId"], bot, bot["exchanges"]) for bot in bots]


def over_rest(client: httpx.Client) -> list[str]:
    """One request for the list and one for each bot, with every column."""
    bots = client.get("/api/v1/orm/bots").raise_for_status().json()
    accounts = {bot["bot_id"]: client.get(f"/api/v1/orm/bots/{bot['bot_id']}/exchanges").json() for bot in bots}
    return [line(bot["bot_id"], bot, accounts[bot["bot_id"]]) for bot in bots]


def line(key: int, bot: dict[str, Any], accounts: list[dict[str, Any]]) -> str:
    names = ", ".join(account["name"] for account in accounts)
    return f"{key:>3}  {bot['name']:20} {'on ' if bot['active'] else 'off'}  {names}"


def main(mail: str = "trader@fullon", password: str = DEMO_PASSWORD) -> None:
    with httpx.Client(base_url=URL, timeout=30) as client:
        try:
            signed_in = client.post("/api/v1/auth/login", data={"username": mail, "password": password})
        except httpx.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
        if signed_in.is_error:
            sys.exit(f"{signed_in.json()['error']['code']}: {signed_in.json()['detail']}")
        client.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
        graph, rest = over_graphql(client), over_rest(client)
    print(*graph, sep="\n")
    print(f"GraphQL: 1 request. REST: {1 + len(rest)} requests. The same answer: {'yes' if graph == rest else 'no'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
