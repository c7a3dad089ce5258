"""Candles as a chart in the terminal. A full block is a rising bar, a light one a falling bar.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/03_candle_chart.py [EXCHANGE [SYMBOL [TIMEFRAME]]]

for example `bitmex BTC/USD:BTC D1`. FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
BARS, ROWS = 60, 16

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""
CANDLES = """query ($exchange: String!, $symbol: String!, $timeframe: Timeframe!, $bars: Int!) {
  candleColumns(exchange: $exchange, symbol: $symbol, timeframe: $timeframe, last: $bars) {
    length open high low close
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


def chart(bars: dict[str, list[float]]) -> Iterator[str]:
    """The lines of the chart, from the highest price down."""
    top, bottom = max(bars["high"]), min(bars["low"])
    step = (top - bottom) / ROWS or 1.0
    columns = list(zip(bars["open"], bars["high"], bars["low"], bars["close"], strict=True))
    for row in range(ROWS):
        ceiling = top - row * step
        yield f"{ceiling:>12.2f} {''.join(mark(bar, ceiling - step, ceiling) for bar in columns)}"


def mark(bar: tuple[float, float, float, float], floor: float, ceiling: float) -> str:
    """The character of one bar in the row between two prices."""
    open_, high, low, close = bar
    if min(open_, close) <= ceiling and max(open_, close) >= floor:
        return "█" if close >= open_ else "░"
    return "│" if low <= ceiling and high >= floor else " "


def main(exchange: str = "kraken", symbol: str = "BTC/USD", timeframe: str = "H1") -> None:
    with httpx.Client(base_url=URL, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {ask(client, LOGIN)['login']['accessToken']}"
        bars = ask(client, CANDLES, exchange=exchange, symbol=symbol, timeframe=timeframe, bars=BARS)["candleColumns"]

    print(f"{symbol} on {exchange}: {bars['length']} bars of {timeframe}")
    if bars["length"]:
        print("\n".join(chart(bars)))


if __name__ == "__main__":
    main(*sys.argv[1:])
