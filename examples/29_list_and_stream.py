"""A list of orders that stays current: the rows, then every change, with one rule of three lines.

Start `make demo`, whose bots trade all day, then in another terminal:

    .venv/bin/python examples/29_list_and_stream.py [CHANGES]

with CHANGES (3), the number of changes to wait for. After them the list is compared with the server's. FULLON_URL names
another server than http://127.0.0.1:8000.
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
PROTOCOL = Subprotocol("graphql-transport-ws")

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""
ORDERS = """subscription ($after: String) {
  orders(snapshot: true, after: $after) { cursor kind rowId order { orderId side symbol status } }
}"""
COUNT = "{ orders(first: 1) { totalCount } }"


async def execute(client: httpx.AsyncClient, query: str) -> Any:
    answer = (await client.post("/graphql", json={"query": query})).json()
    return answer["data"]


async def open_stream(connection: ClientConnection, token: str, after: str | None) -> None:
    await connection.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
    payload = {"query": ORDERS, "variables": {"after": after}}
    await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))


def apply(rows: dict[str, Any], event: dict[str, Any]) -> None:
    """The rule: keep the row under its id, and remove it if the event has none."""
    if event["order"]:
        rows[event["rowId"]] = event["order"]
    else:
        rows.pop(event["rowId"], None)


async def main(count: str = "3") -> None:
    rows: dict[str, Any] = {}
    changes = 0
    async with httpx.AsyncClient(base_url=URL) as client:
        try:
            token = (await execute(client, LOGIN))["login"]["accessToken"]
        except httpx.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
        client.headers["authorization"] = f"Bearer {token}"
        async with connect(URL.replace("http", "ws", 1) + "/graphql", subprotocols=[PROTOCOL]) as connection:
            await open_stream(connection, token, None)
            async for text in connection:
                message = json.loads(text)
                if message["type"] == "error":
                    sys.exit(f"The subscription was refused: {json.dumps(message['payload'])}")
                if message["type"] != "next":
                    continue
                if "errors" in message["payload"]:
                    sys.exit(f"The stream has failed: {json.dumps(message['payload'])}")
                event = message["payload"]["data"]["orders"]
                apply(rows, event)
                if event["kind"] == "SNAPSHOT_END":
                    print(f"{len(rows)} orders", flush=True)
                elif event["kind"] != "SNAPSHOT":
                    order = event["order"] or {"orderId": "-", "symbol": "-", "status": "deleted"}
                    print(f"{event['kind']:8} {order['orderId']:>6} {order['symbol']:10} {order['status']}", flush=True)
                    changes += 1
                if changes >= int(count):
                    break
        total = (await execute(client, COUNT))["orders"]["totalCount"]
    print(f"{len(rows)} orders in the list, {total} on the server")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
