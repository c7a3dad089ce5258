"""A simple strategy, tested with the recorded bars of the last hours as a live stream.

It buys while the price is above the average of the last twelve bars. For live bars, replace `replayCandles` and its
arguments by `candles(exchange: $exchange, symbol: $symbol, timeframe: M5)`.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/24_replay.py [HOURS [EXCHANGE [SYMBOL]]]

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
BARS = 12

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""
REPLAY = """subscription ($exchange: String!, $symbol: String!, $from: DateTime!, $to: DateTime!) {
  replayCandles(exchange: $exchange, symbol: $symbol, timeframe: M5, from: $from, to: $to) {
    closed
    candle { time close }
  }
}"""


def closed_bars(client: httpx.Client, variables: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The bars of the replay as they close."""
    headers = {"accept": "text/event-stream"}
    subscription = {"query": REPLAY, "variables": variables}
    with client.stream("POST", "/graphql", json=subscription, headers=headers) as response:
        for line in response.iter_lines():
            if line.startswith("data: {"):
                answer = json.loads(line.removeprefix("data: "))
                if "errors" in answer:
                    sys.exit(f"The replay ended: {json.dumps(answer['errors'])}")
                update = answer["data"]["replayCandles"]
                if update["closed"]:
                    yield update["candle"]


def main(hours: str = "12", exchange: str = "kraken", symbol: str = "BTC/USD") -> None:
    to = datetime.now(UTC)
    period = {"from": (to - timedelta(hours=float(hours))).isoformat(), "to": to.isoformat()}
    last: deque[float] = deque(maxlen=BARS)
    orders: list[tuple[str, str, float]] = []
    number, began = 0, time.monotonic()
    with httpx.Client(base_url=URL, timeout=30) as client:
        try:
            token = client.post("/graphql", json={"query": LOGIN}).json()["data"]["login"]["accessToken"]
        except httpx.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
        client.headers["Authorization"] = f"Bearer {token}"
        for bar in closed_bars(client, {"exchange": exchange, "symbol": symbol, **period}):
            number += 1
            last.append(bar["close"])
            average = sum(last) / len(last)
            holds = len(orders) % 2 == 1
            if len(last) == BARS and (bar["close"] > average) is not holds:
                orders.append((bar["time"], "sells" if holds else "buys", bar["close"]))

    print(f"{symbol} on {exchange}: {number} bars in {time.monotonic() - began:.1f} s")
    for at, action, price in orders:
        print(f"{datetime.fromisoformat(at):%H:%M}  {action} at {price:>10.2f}")
    paid = [price if action == "sells" else -price for _, action, price in orders]
    value = last[-1] if len(orders) % 2 and last else 0.0
    print(f"result: {sum(paid) + value:+.2f} per unit")


if __name__ == "__main__":
    main(*sys.argv[1:])
