"""The live price of an instrument as server-sent events.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/09_prices_by_http.py [TIMES [EXCHANGE SYMBOL]]

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import json
import os
import sys

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""
PRICE = """subscription ($exchange: String!, $symbol: String!) {
  ticker(exchange: $exchange, symbol: $symbol) { symbol price }
}"""


def main(times: str = "10", exchange: str = "kraken", symbol: str = "BTC/USD") -> None:
    with httpx.Client(base_url=URL, timeout=30) as client:
        try:
            token = client.post("/graphql", json={"query": LOGIN}).json()["data"]["login"]["accessToken"]
        except httpx.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
        headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
        subscription = {"query": PRICE, "variables": {"exchange": exchange, "symbol": symbol}}
        with client.stream("POST", "/graphql", json=subscription, headers=headers) as response:
            events = (line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: {"))
            for number, line in zip(range(1, int(times) + 1), events, strict=False):  # fewer if the server stops
                answer = json.loads(line)
                if "errors" in answer:
                    sys.exit(f"The stream ended: {json.dumps(answer['errors'])}")
                ticker = answer["data"]["ticker"]
                print(f"{number:>3}  {ticker['symbol']}  {ticker['price']:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
