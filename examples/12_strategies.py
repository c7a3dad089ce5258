"""The strategies of a bot with their parameters and feeds, and a dry run of a change.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/12_strategies.py [BOT [LEVERAGE]]

BOT (1) is the key of a bot. Its first strategy gets LEVERAGE (2) in a dry run, which validates the change and
writes nothing. FULLON_URL names another server than http://127.0.0.1:8000.
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
STRATEGIES = """query ($botId: Int!) {
  bot(botId: $botId) {
    name
    strategies {
      strId leverage
      params { name value }
      catalog { name params { name value } }
      feeds { period compression symbol { symbol exchange { name } } }
    }
  }
}"""
TRY = """mutation ($strId: Int!, $leverage: Float!) {
  updateStrategy(input: {strId: $strId, leverage: $leverage}, dryRun: true) { strId leverage }
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


def values(params: list[dict[str, str]]) -> dict[str, str]:
    return {param["name"]: param["value"] for param in params}


def formatted(params: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(params.items()))


def show(strategy: dict[str, Any]) -> None:
    template = strategy["catalog"]
    print(f"  {template['name']} with leverage {strategy['leverage']:g}")
    print(f"    template:   {formatted(values(template['params']))}")
    print(f"    parameters: {formatted(values(strategy['params']))}")
    for feed in strategy["feeds"]:
        symbol = feed["symbol"]
        bars = f"{feed['compression']} {feed['period'].lower()}"
        print(f"    follows:    {symbol['symbol']} on {symbol['exchange']['name']}, {bars}")


def main(bot: str = "1", leverage: str = "2") -> None:
    with httpx.Client(base_url=URL) as client:
        client.headers["Authorization"] = f"Bearer {ask(client, LOGIN)['login']['accessToken']}"
        found = ask(client, STRATEGIES, botId=int(bot))["bot"]
        print(found["name"])
        for strategy in found["strategies"]:
            show(strategy)

        first = found["strategies"][0]
        tried = ask(client, TRY, strId=first["strId"], leverage=float(leverage))["updateStrategy"]
        stored = ask(client, STRATEGIES, botId=int(bot))["bot"]["strategies"][0]
        print(f"leverage in the dry run: {tried['leverage']:g}, still stored: {stored['leverage']:g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
