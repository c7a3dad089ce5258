from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from starlette.types import Message

from fullon_graphql.config import Settings
from fullon_graphql.server.shutdown import STATE_KEY, Shutdown
from fullon_graphql.streaming.connections import ConnectionRegistry
from fullon_graphql.transports.websocket_session import WebSocketSession


class Silent(WebSocketSession):
    """Handles no messages."""

    async def _on_message(self, text: str | None) -> None:
        pass

    def _on_authentication_timeout(self) -> None:
        pass


async def test_client_that_leaves_while_its_socket_is_closed_ends_the_session_in_order(settings: Settings) -> None:
    messages: asyncio.Queue[Message] = asyncio.Queue()
    is_closing = asyncio.Event()

    async def send(message: Message) -> None:
        assert message["type"] == "websocket.close"
        is_closing.set()
        messages.put_nowait({"type": "websocket.disconnect"})
        await asyncio.sleep(0.01)  # the session reads the message meanwhile
        raise RuntimeError("the client has gone")

    context: Any = SimpleNamespace(worker=SimpleNamespace(settings=settings), settings=settings)
    shutdown = Shutdown()
    scope: Any = {"type": "websocket", "state": {STATE_KEY: shutdown}}
    session = Silent(context, ConnectionRegistry(settings), scope, messages.get, send)
    async with asyncio.timeout(5):
        serving = asyncio.create_task(session.serve())
        await asyncio.sleep(0)
        shutdown.begin()
        await is_closing.wait()
        await serving
