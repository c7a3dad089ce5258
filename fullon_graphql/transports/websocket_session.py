"""One WebSocket, for every protocol: its tasks, its messages and their rate, and how it closes."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import copy_context
from time import monotonic
from typing import Any, Final

import orjson
import structlog
from starlette.types import Message, Receive, Scope, Send

from fullon_graphql.context import Context
from fullon_graphql.errors import FullonError, Internal, RateLimited, as_fullon_error
from fullon_graphql.observability.metrics import count_error, count_limit
from fullon_graphql.observability.request_record import record_of
from fullon_graphql.server.shutdown import retry_seconds, shutdown_of
from fullon_graphql.streaming.connections import Connection, ConnectionRegistry
from fullon_graphql.streaming.registry import ENDED_BY_SERVER

log = structlog.get_logger(__name__)

POLICY_VIOLATION: Final = 1008
SERVICE_RESTART: Final = 1012
TRY_AGAIN_LATER: Final = 1013
"""Close codes of WebSocket itself: clients do not reconnect after the first, and do after the others."""

CLOSE_TIMEOUT: Final = 2.0
"""Seconds in which the client must take a closing frame; then the connection is dropped without one."""


class ClientGone(Exception):
    """The client has disconnected."""


class WebSocketSession(ABC):
    """An accepted socket. It owns the tasks it starts, which end before `serve` returns."""

    __slots__ = (
        "_authentication_timer", "_closing", "_connection", "_connections", "_context", "_draining", "_handling",
        "_messages_in_second", "_outbox", "_reader", "_receive", "_record", "_second", "_settings", "_shutdown",
        "_tasks", "_transmit", "_variables",
    )  # fmt: skip

    def __init__(
        self, context: Context, connections: ConnectionRegistry, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._context = context
        self._settings = context.worker.settings
        self._connections = connections
        self._connection: Connection | None = None
        """The authenticated connection; None before authentication."""
        self._record = record_of(scope)
        self._shutdown = shutdown_of(scope)
        self._receive = receive
        self._transmit = send
        self._tasks: dict[asyncio.Task[Any], bool] = {}
        """Each with True if a shutdown waits for it."""
        self._handling = asyncio.Lock()
        """Held while a message is handled, and by the shutdown, after which none is."""
        self._outbox = asyncio.Lock()
        """Held while a message is sent: while the client does not read, at most one has left the backlogs."""
        self._authentication_timer: asyncio.TimerHandle | None = None
        self._draining: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[Any] | None = None
        """The task that waits for messages; None once there are no more."""
        self._variables = copy_context()
        """The context variables of the socket, for tasks that other tasks start."""
        self._second = 0
        self._messages_in_second = 0

    @abstractmethod
    async def _on_message(self, text: str | None) -> None:
        """Handle a text message; None is a binary one."""

    @abstractmethod
    def _on_authentication_timeout(self) -> None:
        """Close the socket if the client has not authenticated."""

    async def serve(self) -> None:
        """Handle messages until one side closes the socket."""
        self._reader, timeout = asyncio.current_task(), self._settings.socket_init_timeout
        self._authentication_timer = asyncio.get_running_loop().call_later(timeout, self._on_authentication_timeout)
        self._shutdown.add(self._on_shutdown)
        try:
            await self._begin()
            while await self._handle(await self._receive()):  # no variable keeps the last message of an idle socket
                pass
        except ClientGone:
            pass
        except asyncio.CancelledError:
            if self._closing is None:  # else `_send_close` has cancelled the reader
                raise
        finally:
            self._reader = None
            self._shutdown.discard(self._on_shutdown)
            self._stop_authentication_timer()
            if self._connection:
                self._connections.remove(self._connection)
            await self._stop()

    async def _begin(self) -> None:  # noqa: B027  # most have nothing to do
        """Do what precedes the first message."""

    async def _handle(self, message: Message) -> bool:
        """Handle a message. False if it is the last one."""
        if message["type"] == "websocket.disconnect":
            return False
        async with self._handling:
            if self._closing:
                return True
            if self._is_within_rate():
                await self._on_message(message.get("text"))
            else:
                limit = self._settings.socket_messages_per_second
                count_limit("SOCKET_MESSAGES_PER_SECOND")
                self._close(POLICY_VIOLATION, f"{RateLimited.code}: more than {limit} messages in a second")
        return True

    def _authenticated(self, connection: Connection) -> None:
        """Register the connection.

        Raises:
            RateLimited: the account has reached its limit of connections.
        """
        self._connections.add(connection)
        self._connection, self._context.caller = connection, connection.principal
        if self._record:
            self._record.uid = connection.principal.uid
        self._stop_authentication_timer()

    def _stop_authentication_timer(self) -> None:
        if self._authentication_timer:
            self._authentication_timer.cancel()
            self._authentication_timer = None

    def _is_within_rate(self) -> bool:
        second = int(monotonic())
        self._messages_in_second = self._messages_in_second + 1 if second == self._second else 1
        self._second = second
        return self._messages_in_second <= self._settings.socket_messages_per_second

    def _start(self, work: Coroutine[Any, Any, None], *, is_awaited: bool = True) -> asyncio.Task[None]:
        task = asyncio.create_task(work, context=self._variables.copy())
        self._tasks[task] = is_awaited
        task.add_done_callback(self._tasks.pop)
        return task

    def _mark_as_stream(self) -> None:
        """Mark the current task as endless, so that a shutdown does not wait for it."""
        if task := asyncio.current_task():
            self._tasks[task] = False

    def _on_shutdown(self) -> None:
        self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        """Handle no more messages, finish the operations that have begun, and close the socket."""
        async with self._handling:
            await asyncio.sleep(0)  # tasks that have just started mark themselves as streams
            if operations := [task for task, is_awaited in self._tasks.items() if is_awaited]:
                await asyncio.wait(operations)
            self._close(SERVICE_RESTART, f"The server shuts down; connect again in {retry_seconds()} s.")

    def _close(self, code: int, reason: str) -> None:
        """Cancel all operations and close the socket."""
        if self._closing is None:
            for task in self._tasks:
                task.cancel(ENDED_BY_SERVER)
            self._closing = asyncio.create_task(self._send_close(code, reason))

    async def _send_close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                truncated = reason.encode()[:123].decode(errors="ignore")  # the most a closing frame can carry
                await self._transmit({"type": "websocket.close", "code": code, "reason": truncated})
        except (TimeoutError, OSError, RuntimeError):  # a client that does not read, has gone, or has been refused
            if self._reader:
                self._reader.cancel()

    async def _stop(self) -> None:
        """Cancel everything but the closing frame, and wait for all tasks."""
        last = [task for task in (self._draining, self._closing) if task]
        for task in (*self._tasks, *last):
            if task is not self._closing:
                task.cancel()
        if running := [*self._tasks, *last]:
            await asyncio.wait(running)

    async def _send_if_open(self, message: dict[str, Any]) -> None:
        with suppress(ClientGone):
            await self._send(message)

    async def _send(self, message: dict[str, Any]) -> None:
        await self._send_text(orjson.dumps(message))

    async def _send_text(self, text: bytes) -> None:
        try:
            async with self._outbox:
                if self._closing:
                    raise ClientGone
                await self._transmit({"type": "websocket.send", "text": text.decode()})
        except (OSError, RuntimeError) as error:  # servers differ in the exception for a closed socket
            raise ClientGone from error

    def _to_fullon_error(self, error: Exception) -> FullonError:
        """The error the client gets. An internal one is logged."""
        found = as_fullon_error(error, self._context.request_id)
        if isinstance(found, Internal):
            log.error("socket.failed", request_id=self._context.request_id, exc_info=error)
        return found


def graphql_error(error: FullonError) -> dict[str, Any]:
    """The error in the format of GraphQL, for a client that receives it."""
    count_error("graph", error.code)
    return {"message": error.message, "extensions": error.extensions}
