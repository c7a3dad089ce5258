"""Candles as they were known some minutes ago, beside those of now.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/23_candles_as_known.py [MINUTES [EXCHANGE [SYMBOL]]]

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""
CANDLES = """query ($exchange: String!, $symbol: String!, $asOf: DateTime!) {
  now: candles(exchange: $exchange, symbol: $symbol, timeframe: M15, last: 8) { time close volume }
  then: candles(exchange: $exchange, symbol: $symbol, timeframe: M15, last: 8, asOf: $asOf) { time close volume }
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


def main(minutes: str = "20", exchange: str = "kraken", symbol: str = "BTC/USD") -> None:
    as_of = datetime.now(UTC) - timedelta(minutes=float(minutes))
    with httpx.Client(base_url=URL, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {ask(client, LOGIN)['login']['accessToken']}"
        bars = ask(client, CANDLES, exchange=exchange, symbol=symbol, asOf=as_of.isoformat())

    known = {bar["time"]: bar for bar in bars["then"]}
    print(f"{symbol} on {exchange}: bars of now, and as of {as_of:%H:%M:%S}")
    for bar in bars["now"]:
        then = known.get(bar["time"])
        before = f"{then['close']:>12.2f} {then['volume']:>10.4f}" if then else f"{'not known':>23}"
        mark = "" if then == bar else "  *"
        time = datetime.fromisoformat(bar["time"])
        print(f"{time:%H:%M} {bar['close']:>12.2f} {bar['volume']:>10.4f}  {before}{mark}")


if __name__ == "__main__":
    main(*sys.argv[1:])
