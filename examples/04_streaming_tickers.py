"""Live tickers of an exchange over a WebSocket (graphql-transport-ws).

Start `make demo`, then in another terminal:

    .venv/bin/python examples/04_streaming_tickers.py [FRAMES [EXCHANGE]]

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
SOCKET_URL = URL.replace("http", "ws", 1) + "/graphql"
PROTOCOL = Subprotocol("graphql-transport-ws")

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""
TICKERS = """subscription ($exchange: String!) {
  tickers(exchange: $exchange, maxRate: 2) { symbol price spread instrument { base } }
}"""


async def token() -> str:
    async with httpx.AsyncClient(base_url=URL) as client:
        try:
            answer = (await client.post("/graphql", json={"query": LOGIN})).json()
        except httpx.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
    return str(answer["data"]["login"]["accessToken"])


async def send(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def receive(socket: ClientConnection) -> Any:
    """The payload of the next frame. Answers pings."""
    while True:
        match json.loads(await socket.recv()):
            case {"type": "ping"}:
                await send(socket, type="pong")
            case {"type": "next", "payload": {"data": data}}:
                return data
            case {"type": "connection_ack"}:
                return None
            case other:  # `error` with the reasons, or a `next` that carries errors
                sys.exit(f"The stream ended: {json.dumps(other)}")


async def main(frames: str = "10", exchange: str = "kraken") -> None:
    authorization = f"Bearer {await token()}"
    async with connect(SOCKET_URL, subprotocols=[PROTOCOL]) as socket:
        await send(socket, type="connection_init", payload={"authorization": authorization})
        await receive(socket)
        subscription = {"query": TICKERS, "variables": {"exchange": exchange}}
        await send(socket, id="tickers", type="subscribe", payload=subscription)
        for number in range(1, int(frames) + 1):
            tickers = (await receive(socket))["tickers"]
            print(f"{number:>3}", *(f"{ticker['symbol']} {ticker['price']:.2f}" for ticker in tickers), sep="  ")
        await send(socket, id="tickers", type="complete")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
