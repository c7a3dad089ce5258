"""Changes of your orders over a connection that breaks. The cursor of the last event resumes the stream without a gap.

Start `make demo`, whose bots trade all day, then in another terminal:

    .venv/bin/python examples/14_orders_without_a_gap.py [EVENTS]

with EVENTS (3), the number of events before the connection breaks and after it. Prices are states and need no cursor:
each connection starts with the newest. FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
SOCKET_URL = URL.replace("http", "ws", 1) + "/graphql"
PROTOCOL = Subprotocol("graphql-transport-ws")

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""
PRICES = """subscription {
  tickers(exchange: "kraken") { symbol price }
}"""
ORDERS = """subscription ($after: String) {
  orders(after: $after) { cursor kind order { orderId status side volume symbol bot { name } } }
}"""


async def token() -> str:
    async with httpx.AsyncClient(base_url=URL) as client:
        try:
            answer = (await client.post("/graphql", json={"query": LOGIN})).json()
        except httpx.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
    return str(answer["data"]["login"]["accessToken"])


async def listen(query: str, **variables: object) -> AsyncGenerator[Any]:
    """The data of each frame of one subscription, on a separate connection."""
    hello = {"type": "connection_init", "payload": {"authorization": f"Bearer {await token()}"}}
    async with connect(SOCKET_URL, subprotocols=[PROTOCOL]) as socket:
        await socket.send(json.dumps(hello))
        async for text in socket:
            match json.loads(text):
                case {"type": "connection_ack"}:
                    subscription = {"query": query, "variables": variables}
                    await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": subscription}))
                case {"type": "ping"}:
                    await socket.send(json.dumps({"type": "pong"}))
                case {"type": "next", "payload": {"data": data}}:
                    yield data
                case other:  # `error` with the reasons, e.g. CURSOR_EXPIRED after too long a break
                    sys.exit(f"The stream ended: {json.dumps(other)}")


async def show_prices() -> None:
    async with aclosing(listen(PRICES)) as frames:
        prices = (await anext(frames))["tickers"]
    print("prices now:", ", ".join(f"{one['symbol']} {one['price']:.2f}" for one in prices) or "none yet")


async def follow(count: int, cursor: str | None) -> str | None:
    """Print `count` events after `cursor` and return the cursor of the last one."""
    async with aclosing(listen(ORDERS, after=cursor)) as events:
        for _ in range(count):
            event = (await anext(events))["orders"]
            cursor = event["cursor"]
            show(event["kind"], event["order"])
    return cursor


def show(kind: str, order: dict[str, Any] | None) -> None:
    if order is None:  # deleted since
        print(f"{kind:8}")
        return
    what = f"{order['side']} {order['volume']:.6f} {order['symbol']}"
    bot = order["bot"]["name"] if order["bot"] else "-"
    print(f"{kind:8} {order['orderId']:>6}  {bot:18} {what:32} {order['status']}", flush=True)


async def main(count: str = "3") -> None:
    await show_prices()
    cursor = await follow(int(count), None)
    print("the connection breaks, the bots continue to trade", flush=True)
    await asyncio.sleep(2)
    await show_prices()
    await follow(int(count), cursor)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
