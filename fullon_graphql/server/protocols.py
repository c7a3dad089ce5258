"""uvicorn's protocols with what this server adds: cheap sockets, an orderly shutdown, and no wait for a slow reader."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from fullon_graphql.server.extension import EXTENSION, SERVER_ENDS, ConnectionExtension

OVERTIME: Final = 0.9
"""The part of the shutdown timeout after which sockets are closed, whatever they are doing."""


class Inbox:
    """What a socket has received and its one reader has not taken: as much of a queue as uvicorn uses.

    asyncio's own takes 3 kB, a tenth of what an open socket needs. uvicorn reads nothing more while something waits.
    """

    __slots__ = ("_arrival", "_messages")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._arrival: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        """Add a message."""
        self._messages.append(message)
        if self._arrival and not self._arrival.done():
            self._arrival.set_result(None)

    def empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._messages

    async def get(self) -> Any:
        """Take the oldest message, once there is one."""
        while not self._messages:
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        return self._messages.pop(0)


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own, but a server that ends lets sockets answer what they have begun, and waits for no slow reader.

    Besides, it takes little memory, and a message can be sent without a task that awaits it: there are thousands of
    sockets, and an event goes to all of them.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.queue = Inbox()  # type: ignore[assignment]  # it has the three methods that are used

    def try_send(self, text: bytes) -> bool:
        """Send a text message at once. False, and nothing is sent, where there is no room for it, or nobody."""
        if not self.writable.is_set() or self.close_sent or self.disconnected or self.transport.is_closing():
            return False
        self.transport.write(Frame(Opcode.TEXT, text).serialize(mask=False))
        return True

    def start_keepalive(self) -> None:
        """Forget the handshake, now that it is complete: the scope has what was said in it."""
        super().start_keepalive()
        self.request.headers.clear()
        self.response.headers.clear()

    def shutdown(self) -> None:
        """Begin to end, as uvicorn asks each connection to: the application closes the socket when it is done."""
        if not self.handshake_complete:
            super().shutdown()
            return
        announce_shutdown(self.app_state)
        ends: Any = {"type": SERVER_ENDS}  # among the messages of ASGI there is none
        self.queue.put_nowait(ends)
        if patience := self.config.timeout_graceful_shutdown:
            self.loop.call_later(patience * OVERTIME, self._cut_short)

    def _cut_short(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()

    def keepalive_timeout(self) -> None:
        """Drop a peer that has not answered a ping."""
        super().keepalive_timeout()
        self.transport.abort()

    async def run_asgi(self) -> None:
        """Serve the socket; what it has not taken some time after its end, it does not get.

        Closing alone would wait for room in the buffers.
        """
        extension: Any = ConnectionExtension(try_send=self.try_send)  # uvicorn's scope types know no extension
        self.scope["extensions"][EXTENSION] = extension
        await super().run_asgi()
        if self.transport.get_write_buffer_size():
            self.loop.call_later(self.close_timeout, self.transport.abort)


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's own, but responses that would go on for ever learn that the server ends, and end in order.

    Who does not read the end of one can be cut off: closing alone would wait for room in the buffers.
    """

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        extension: Any = ConnectionExtension(abort=self.transport.abort)
        self.scope["extensions"] = {EXTENSION: extension}

    def shutdown(self) -> None:
        """Begin to end, as uvicorn asks each connection to."""
        announce_shutdown(self.app_state)
        super().shutdown()


def announce_shutdown(state: dict[str, Any]) -> None:
    """Say that the server ends to the responses of an application that has begun."""
    if ending := state.get("ending"):
        ending.set()
