"""Candles over REST: the newest bars, and the bars of a range.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/19_candles_over_rest.py [EXCHANGE SYMBOL [TIMEFRAME]]

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
ACCOUNT = {"username": "trader@fullon", "password": "fullon-demo"}


def main(exchange: str = "kraken", symbol: str = "BTC/USD", timeframe: str = "1h") -> None:
    with httpx.Client(base_url=f"{URL}/api/v1", timeout=30) as client:
        try:
            token = client.post("/auth/login", data=ACCOUNT).raise_for_status().json()["access_token"]
        except httpx.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
        client.headers["Authorization"] = f"Bearer {token}"
        path = f"/ohlcv/candles/{exchange}/{symbol}/{timeframe}"  # a symbol may contain slashes
        newest = client.get(path, params={"limit": 5}).raise_for_status().json()["candles"]
        times = {"start_time": newest[0]["timestamp"], "end_time": newest[2]["timestamp"]}  # both included
        ranged = client.get(f"{path}/range", params=times).raise_for_status().json()["candles"]
    for bar in newest:
        print("{timestamp}  {open:>10.2f} {high:>10.2f} {low:>10.2f} {close:>10.2f}  {vol:>10.4f}".format(**bar))
    print(f"in the range of the first three: {len(ranged)} bars")


if __name__ == "__main__":
    main(*sys.argv[1:])
