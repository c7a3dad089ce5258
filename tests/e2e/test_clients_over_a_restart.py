"""Client libraries reconnect after a restart of the server and resume their subscriptions."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from fullon_graphql.database import Database
from tests.fixtures.clients import StartClient
from tests.fixtures.node import Script
from tests.fixtures.order_changes import change_orders, newest_cursor
from tests.fixtures.rows import TRADER
from tests.fixtures.server import StartServer
from tests.fixtures.signing_in import SignIn

ORDERS = "subscription ($after: String) { orders(after: $after) { cursor order { orderId } } }"


@pytest.mark.parametrize(
    ("script", "closed"), [("graphql-ws.mjs", [1012]), ("graphql-sse.mjs", [])], ids=["graphql-ws", "graphql-sse"]
)
async def test_every_change_of_an_order_arrives_once_and_in_order(
    start_client: StartClient,
    start_server: StartServer,
    sign_in: SignIn,
    platform: Database,
    script: str,
    closed: list[int],
) -> None:
    token, before = await sign_in(TRADER), await newest_cursor(platform)
    async with AsyncExitStack() as stack:
        async with start_server() as server:
            operations = [{"query": ORDERS, "variables": {"after": before}}]
            url = server.socket_url if script == "graphql-ws.mjs" else f"{server.url}/graphql"
            client = await stack.enter_async_context(start_client(script, url=url, token=token, operations=operations))
            await change_orders(platform, range(1, 11))
            received = await receive_orders(client, 1)
        await change_orders(platform, range(11, 21))
        async with start_server(PORT=server.port):
            await change_orders(platform, range(21, 31))
            received += await receive_orders(client, 29)
    orders = [line["next"]["data"]["orders"]["order"]["orderId"] for line in received if "next" in line]
    assert orders == list(range(1, 31))
    assert [line["closed"]["code"] for line in received if "closed" in line][:1] == closed


async def receive_orders(client: Script, number: int) -> list[dict[str, Any]]:
    """The lines that the client prints until it has received `number` changes."""
    received: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while sum("next" in line for line in received) < number:
            received.append(await client.receive())
    return received
