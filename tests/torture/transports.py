"""Subscriptions to the graph: a function per transport, and a table of them.

Each yields the responses to one subscription. The connection is aborted when the generator ends.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.fixtures.socket import PROTOCOL
from tests.fixtures.streaming import EVENTS, PARTS


class Refused(Exception):
    """The subscription was refused or ended with errors."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.extensions: dict[str, Any] = errors[0].get("extensions", {})


Responses = AsyncGenerator[dict[str, Any], None]

OpenStream = Callable[[str, str, Mapping[str, Any]], Responses]
"""`open_stream(url, token, variables)`: the responses to one subscription.

Raises:
    Refused: the server has refused or ended the subscription.
    OSError, WebSocketException, HTTPError: the connection failed.
"""


async def graphql_transport_ws(query: str, url: str, token: str, variables: Mapping[str, Any]) -> Responses:
    async with connected(f"{url}/graphql", PROTOCOL) as connection:
        await connection.send(orjson.dumps({"type": "connection_init", "payload": {"authorization": token}}).decode())
        request = {"query": query, "variables": variables}
        await connection.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": request}).decode())
        async for text in connection:
            match orjson.loads(text):
                case {"type": "next", "payload": payload}:
                    yield payload
                case {"type": "error", "payload": errors}:
                    raise Refused(errors)
                case {"type": "complete"}:
                    return


async def server_sent_events(query: str, url: str, token: str, variables: Mapping[str, Any]) -> Responses:
    """Resumes like a browser: with the id of the last event instead of a variable."""
    headers = {"accept": EVENTS, "last-event-id": variables.get("after") or ""}
    fresh = {name: value for name, value in variables.items() if name != "after"}
    async for block in _blocks(url, token, query, fresh, headers, b"\n\n"):
        fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
        if fields.get(b"event") == b"next":
            yield _in_order(orjson.loads(fields[b"data"]))


async def multipart(query: str, url: str, token: str, variables: Mapping[str, Any]) -> Responses:
    async for part in _blocks(url, token, query, variables, {"accept": PARTS}, b"\r\n--graphql"):
        body = part.partition(b"\r\n\r\n")[2] or b"{}"
        if message := orjson.loads(body):
            yield _in_order(message["payload"] or message)


async def _blocks(
    url: str, token: str, query: str, variables: Mapping[str, Any], headers: dict[str, str], end: bytes
) -> AsyncIterator[bytes]:
    """The parts of a response body, without `end`."""
    headers = {"authorization": f"Bearer {token}"} | headers
    content = orjson.dumps({"query": query, "variables": variables})
    async with (
        httpx.AsyncClient(timeout=60, verify=False) as client,
        client.stream(
            "POST", f"{url}/graphql", content=content, headers={"content-type": "application/json"} | headers
        ) as response,
    ):
        if response.is_error:
            if "json" not in response.headers["content-type"]:  # of a proxy
                response.raise_for_status()
            raise Refused(orjson.loads(await response.aread())["errors"])
        rest = b""
        async for chunk in response.aiter_raw():
            *blocks, rest = (rest + chunk).split(end)
            for block in blocks:
                yield block


def _in_order(response: dict[str, Any]) -> dict[str, Any]:
    if "data" not in response:
        raise Refused(response["errors"])
    return response


TRANSPORTS: Final = {
    "graphql-transport-ws": graphql_transport_ws,
    "server-sent events": server_sent_events,
    "multipart": multipart,
}


def graph_transports(query: str) -> dict[str, OpenStream]:
    """A subscription on each of the graph's transports."""
    return {name: partial(transport, query) for name, transport in TRANSPORTS.items()}


@asynccontextmanager
async def connected(url: str, *protocols: Subprotocol) -> AsyncIterator[ClientConnection]:
    """A WebSocket for one block."""
    connection = await connect(url.replace("http", "ws", 1), subprotocols=protocols or None, proxy=None)
    try:
        yield connection
    finally:
        connection.transport.abort()
        await connection.wait_closed()
