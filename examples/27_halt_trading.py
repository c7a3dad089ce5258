"""Halting and resuming trading, and a switch that halts it when this client is lost.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/27_halt_trading.py

It halts one bot only, and leaves the demo as it was. FULLON_URL names another server than http://127.0.0.1:8000.
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
BOT = "{ bots(first: 1, filter: {active: {eq: true}}) { nodes { botId name } } }"
HALT = """mutation ($botId: Int!, $dryRun: Boolean) {
  haltTrading(scope: BOT, botId: $botId, reason: "example", dryRun: $dryRun) { haltId botIds }
}"""
SWITCH_ON = "mutation ($botId: Int!) { updateBot(input: {botId: $botId, active: true}) { active } }"
RESUME = "mutation ($haltId: Int!) { resumeTrading(haltId: $haltId) { resumedBotIds } }"
ARM = """subscription ($botId: Int!, $switchId: ID) {
  haltOnDisconnect(afterSeconds: 30, scope: BOT, botId: $botId, switchId: $switchId) { switchId state }
}"""
SWITCHES = "{ haltSwitches { switchId state } }"


async def ask(client: httpx.AsyncClient, query: str, **variables: object) -> Any:
    """The answer to one operation, with its data and its errors."""
    try:
        return (await client.post("/graphql", json={"query": query, "variables": variables})).json()
    except httpx.ConnectError:
        sys.exit(f"No server at {URL}. Start one with: make demo")


async def armed(socket: ClientConnection, token: str, **variables: object) -> str:
    """Arm a switch, or take one over; its id. It stays armed while the socket is open."""
    await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
    payload = {"query": ARM, "variables": variables}
    await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
    async for text in socket:
        match json.loads(text):
            case {"type": "next", "payload": {"data": {"haltOnDisconnect": switch}}}:
                return str(switch["switchId"])
            case {"type": "connection_ack" | "ping"}:
                pass
            case other:
                sys.exit(f"The switch was not armed: {json.dumps(other)}")
    sys.exit("The socket was closed.")


async def halt_and_resume(client: httpx.AsyncClient, bot_id: int) -> None:
    tried = (await ask(client, HALT, botId=bot_id, dryRun=True))["data"]["haltTrading"]
    print("dry run:  would switch off", len(tried["botIds"]), "bot")
    halt_id = (await ask(client, HALT, botId=bot_id))["data"]["haltTrading"]["haltId"]
    refused = (await ask(client, SWITCH_ON, botId=bot_id))["errors"][0]["extensions"]
    print("halted:   switching it on is", refused["code"])
    resumed = (await ask(client, RESUME, haltId=halt_id))["data"]["resumeTrading"]
    print("resumed: ", len(resumed["resumedBotIds"]), "bot")


async def arm_and_disarm(client: httpx.AsyncClient, token: str, bot_id: int) -> None:
    async with connect(SOCKET_URL, subprotocols=[PROTOCOL]) as lost:
        switch_id = await armed(lost, token, botId=bot_id)
    found = (await ask(client, SWITCHES))["data"]["haltSwitches"]
    print("lost:     the switch is", *(one["state"] for one in found if one["switchId"] == switch_id))
    async with connect(SOCKET_URL, subprotocols=[PROTOCOL]) as back:
        await armed(back, token, botId=bot_id, switchId=switch_id)
        await back.send(json.dumps({"type": "complete", "id": "1"}))  # disarms it
    print("back:     taken over in time, and completed")


async def main() -> None:
    async with httpx.AsyncClient(base_url=URL) as client:
        token = str((await ask(client, LOGIN))["data"]["login"]["accessToken"])
        client.headers["authorization"] = f"Bearer {token}"
        bot = (await ask(client, BOT))["data"]["bots"]["nodes"][0]
        await halt_and_resume(client, bot["botId"])
        await arm_and_disarm(client, token, bot["botId"])


if __name__ == "__main__":
    asyncio.run(main())
