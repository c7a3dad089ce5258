"""uvicorn's WebSocket protocol, with small sockets, an orderly shutdown, and no wait for a slow reader."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from uvicorn._types import ASGIReceiveEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from fullon_graphql.errors import RateLimited
from fullon_graphql.observability.metrics import count_limit
from fullon_graphql.server.extension import EXTENSION, ConnectionExtension
from fullon_graphql.server.frames import FINAL_TEXT, OpenWebSocket, frame_of
from fullon_graphql.server.shutdown import begin_shutdown
from fullon_graphql.timers import SharedTimer

MESSAGE_TOO_BIG: Final = 1009
POLICY_VIOLATION: Final = 1008
"""The close code for a client that floods its socket."""

SESSION_SHARE: Final = 0.9
"""The share of the shutdown timeout that sessions have to close in order; then their sockets are closed."""


MAX_INBOX: Final = 1_000
"""The most messages of a socket that may wait for its session. One read from the network can have tens of thousands."""

MAX_FRAGMENTS: Final = 1_000
"""The most fragments of one message. Empty ones do not count towards the limit of its bytes."""


class Inbox:
    """The messages of one socket that its reader has not taken, in place of uvicorn's `asyncio.Queue`.

    Such a queue takes 3 kB. uvicorn stops reading from the client while a message waits.
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

    def __len__(self) -> int:
        return len(self._messages)

    def clear(self) -> None:
        """Drop all messages."""
        self._messages.clear()

    def empty(self) -> bool:
        """True if there is no message."""
        return not self._messages

    def arrival(self) -> asyncio.Future[None]:
        """Done when a message arrives."""
        self._arrival = asyncio.get_running_loop().create_future()
        return self._arrival

    def pop(self) -> Any:
        """Take the oldest message."""
        return self._messages.pop(0)


class Capacity:
    """Whether the client takes bytes: the methods of `asyncio.Event` that uvicorn calls, which takes 0.7 kB itself."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        self._is_set = True
        self._waiting: list[asyncio.Future[None]] = []

    def is_set(self) -> bool:
        """True while there is capacity."""
        return self._is_set

    def set(self) -> None:
        """Wake all that wait for capacity."""
        self._is_set = True
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def clear(self) -> None:
        """Record that there is none."""
        self._is_set = False

    async def wait(self) -> None:
        """Wait until there is capacity."""
        if not self._is_set:
            self._waiting.append(future := asyncio.get_running_loop().create_future())
            try:
                await future
            finally:
                self._waiting.remove(future)


@lru_cache(maxsize=100)
def _shared(address: tuple[str, int | None] | None) -> tuple[str, int | None] | None:
    """The same object for equal addresses."""
    return address


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol. At shutdown, sessions end in order, and no slow reader is waited for.

    A socket takes little memory, and a message can be sent without awaiting it: a worker has thousands of sockets, and
    an event is sent to all of them.
    """

    # All attributes, also those of uvicorn: its 40 would need a dictionary of 1.6 kB.
    __slots__ = (
        "_inbox", "_unsent_pong", "app", "app_state", "asgi_version", "client", "close_sent", "close_timeout",
        "close_timer", "config", "conn", "connections", "curr_msg_data_type", "default_headers", "disconnected",
        "frames", "handshake_complete", "handshake_initiated", "initial_response", "last_ping_rtt", "logger", "loop",
        "pending_ping_payload", "ping_interval", "ping_sent_at", "ping_timeout", "ping_timer", "pong_timer", "queue",
        "read_paused", "request", "response", "root_path", "scheme", "scope", "server", "tasks", "transport",
        "writable",
    )  # fmt: skip

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unsent_pong = b""
        self._inbox = Inbox()
        self.queue = self._inbox  # type: ignore[assignment]  # it has `put_nowait`, all that uvicorn still calls
        self.writable = Capacity()  # type: ignore[assignment]  # likewise

    def try_send(self, text: bytes) -> bool:
        """Send a text message at once. False, and nothing is sent, if the client has no capacity or is gone."""
        if not self.writable.is_set() or self.close_sent or self.disconnected or self.transport.is_closing():
            return False
        self.transport.write(frame_of(FINAL_TEXT, text))
        return True

    def handle_ping(self) -> None:
        """Answer a ping; while the client does not read, keep the answer to the newest ones only."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)
        else:
            self._unsent_pong = pong or self._unsent_pong

    def resume_writing(self) -> None:
        """Send the pong that has waited for the client to read."""
        super().resume_writing()
        if self._unsent_pong and not self.transport.is_closing():
            pong, self._unsent_pong = self._unsent_pong, b""
            self.transport.write(pong)

    def send_receive_event_to_app(self) -> None:
        """Pass a message on, unless too many wait."""
        if len(self._inbox) < MAX_INBOX:
            super().send_receive_event_to_app()
        else:
            self._refuse(f"more than {MAX_INBOX} messages wait to be handled")

    def handle_cont(self, event: Frame) -> None:
        """Add a fragment to its message, unless it has too many."""
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        else:
            self._refuse(f"a message has more than {MAX_FRAGMENTS} fragments")

    def handle_parser_exception(self) -> None:
        """End a socket whose client has broken the protocol, or sent too large a message."""
        if self.conn.close_sent and self.conn.close_sent.code == MESSAGE_TOO_BIG:
            count_limit("SOCKET_MESSAGE_BYTES")
        super().handle_parser_exception()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin a connection."""
        super().connection_made(transport)
        self.server = _shared(self.server)

    def schedule_ping(self) -> None:
        """Send a ping after the interval, with one timer for all sockets."""
        self._pings.add(self.send_keepalive_ping, self.loop)

    def stop_keepalive(self) -> None:
        """Send no further ping."""
        super().stop_keepalive()
        self._pings.remove(self.send_keepalive_ping)

    @property
    def _pings(self) -> SharedTimer:
        timer: SharedTimer = self.config.pings  # type: ignore[attr-defined]  # it is our `Config`
        return timer

    def _refuse(self, reason: str) -> None:
        self.frames = []
        if self.close_sent:
            return
        self._inbox.clear()
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": POLICY_VIOLATION})
        self.conn.fail(POLICY_VIOLATION, f"{RateLimited.code}: {reason}")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()

    def handle_connect(self, event: Request) -> None:
        """Begin a handshake. Nothing more is read before it is complete."""
        self.transport.pause_reading()
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            extension: Any = ConnectionExtension(try_send=self.try_send)  # uvicorn's scope types have no such extension
            self.scope["extensions"][EXTENSION] = extension

    def start_keepalive(self) -> None:
        """Replace the parser of the handshake, which is complete; its content is in the scope."""
        super().start_keepalive()
        self.conn = OpenWebSocket(self.config.ws_max_size)  # type: ignore[assignment]  # it has the same methods
        del self.request, self.response
        self.transport.resume_reading()

    def shutdown(self) -> None:
        """Announce the shutdown. The session closes the socket, or this protocol does shortly before the timeout."""
        if not self.handshake_complete:
            super().shutdown()
            return
        begin_shutdown(self.app_state)
        if timeout := self.config.timeout_graceful_shutdown:
            self.loop.call_later(timeout * SESSION_SHARE, self._force_shutdown)

    def _force_shutdown(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()

    def keepalive_timeout(self) -> None:
        """Drop a client that has not answered a ping."""
        super().keepalive_timeout()
        self.transport.abort()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Abort the connection later if the client does not read the sent bytes: closing it would wait for that."""
        super().on_task_complete(task)
        if self.transport.get_write_buffer_size():
            self.loop.call_later(self.close_timeout, self.transport.abort)

    async def receive(self) -> ASGIReceiveEvent:
        """As uvicorn has it, without a coroutine for its queue."""
        inbox = self._inbox
        while inbox.empty():
            await inbox.arrival()
        message: ASGIReceiveEvent = inbox.pop()
        if self.read_paused and inbox.empty():
            self.read_paused = False
            self.transport.resume_reading()
        return message
