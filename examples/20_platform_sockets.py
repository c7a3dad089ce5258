"""The platform's three socket protocols, for its older clients: the gateway, a domain, and candles.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/20_platform_sockets.py [EXCHANGE SYMBOL]

New clients use subscriptions, see 04_streaming_tickers.py. FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
SOCKETS = URL.replace("http", "ws", 1)
ACCOUNT = {"username": "trader@fullon", "password": "fullon-demo"}


async def sign_in() -> dict[str, str]:
    """The headers of a signed-in client."""
    async with httpx.AsyncClient(base_url=URL, timeout=30) as client:
        try:
            answer = await client.post("/api/v1/auth/login", data=ACCOUNT)
        except httpx.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


async def ask(socket: ClientConnection, **message: Any) -> Any:
    """Send a message and return the next one that comes."""
    await socket.send(json.dumps(message))
    return json.loads(await socket.recv())


async def main(exchange: str = "kraken", symbol: str = "BTC/USD") -> None:
    headers, instrument = await sign_in(), {"exchange": exchange, "symbol": symbol}
    async with connect(f"{SOCKETS}/ws", additional_headers=headers) as gateway:
        answer = await ask(gateway, request_id="1", operation="get_ticker", params=instrument)
        print("gateway:", f"price {answer['result']['price']}" if answer["success"] else answer["error_code"])
    async with connect(f"{SOCKETS}/api/v1/cache/ws/tickers", additional_headers=headers) as domain:
        answer = await ask(
            domain, request_id="1", action="stream_tickers", params={"exchange": exchange, "symbols": [symbol]}
        )
        print("domain: ", "streaming" if answer["success"] else answer["error_code"])
        update = json.loads(await domain.recv())
        print("domain: ", f"price {update['result']['price']}")
    async with connect(f"{SOCKETS}/ws/ohlcv", additional_headers=headers) as candles:
        answer = await ask(candles, action="subscribe", timeframe="1m", type="candle", **instrument)
        print("candles:", answer["type"])
        print("candles:", json.loads(await candles.recv())["type"])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
