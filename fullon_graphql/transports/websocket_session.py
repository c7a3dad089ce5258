"""One WebSocket, whatever is spoken on it: its tasks, what may be sent, how many messages may come, and its end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import orjson
import structlog
from starlette.types import Receive, Send

from fullon_graphql.context import Context
from fullon_graphql.errors import FullonError, Internal, RateLimited, as_fullon_error
from fullon_graphql.server.extension import SERVER_ENDS
from fullon_graphql.streaming.connections import Connection, ConnectionRegistry

log = structlog.get_logger(__name__)

POLICY: Final = 1008
RESTART: Final = 1012
TRY_AGAIN: Final = 1013
"""WebSocket's own codes: clients do not come back after the first, and do after the others."""

FAREWELL: Final = 2.0
"""Seconds in which a client must have room for a closing frame; then it is cut off."""


class ClientGone(Exception):
    """Nobody is there to be told anything."""


class WebSocketSession(ABC):
    """An accepted socket. What it starts are tasks of its own, which end before `serve` does."""

    def __init__(self, context: Context, presences: ConnectionRegistry, receive: Receive, send: Send) -> None:
        self._context = context
        self._settings = context.worker.settings
        self._presences = presences
        self._presence: Connection | None = None
        self._receive = receive
        self._transmit = send
        self._tasks: dict[asyncio.Task[Any], bool] = {}
        """Each with whether a server that ends waits for it."""
        self._late: asyncio.TimerHandle | None = None
        self._draining: asyncio.Task[None] | None = None
        self._farewell: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[Any] | None = None
        self._second = 0
        self._in_second = 0

    @abstractmethod
    async def _hear(self, text: str | None) -> None:
        """Take in a message, None for a binary one."""

    @abstractmethod
    def _check_greeted(self) -> None:
        """Close, unless it is known who this is: the time for that is over."""

    async def serve(self) -> None:
        """Talk until one side closes; ours does once the server ends and what it has begun is answered."""
        self._reader = asyncio.current_task()
        self._late = asyncio.get_running_loop().call_later(self._settings.socket_init_timeout, self._check_greeted)
        try:
            await self._converse()
        except ClientGone:
            pass
        except asyncio.CancelledError:
            if self._farewell is None:  # else we have cut it off ourselves
                raise
        finally:
            self._late.cancel()
            if self._presence:
                self._presences.leave(self._presence)
            await self._stop()

    async def _converse(self) -> None:
        while (message := await self._receive())["type"] != "websocket.disconnect":
            if self._farewell or self._draining:
                continue
            if message["type"] == SERVER_ENDS:
                self._draining = asyncio.create_task(self._drain())
            elif self._in_time():
                await self._hear(message.get("text"))
            else:
                self._close(POLICY, f"{RateLimited.code}: too many messages in a second")

    def _greeted(self, presence: Connection) -> None:
        """From now on it is known who this is.

        Raises:
            RateLimited: the account has as many connections as it may.
        """
        self._presences.enter(presence)
        self._presence, self._context.caller = presence, presence.principal
        if self._late:
            self._late.cancel()

    def _in_time(self) -> bool:
        second = int(monotonic())
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        return self._in_second <= self._settings.socket_messages_per_second

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks[task] = True
        task.add_done_callback(self._tasks.pop)
        return task

    def _goes_on(self) -> None:
        """Say of the task that runs now that it has no end of its own; a server that ends does not wait for it."""
        if task := asyncio.current_task():
            self._tasks[task] = False

    async def _drain(self) -> None:
        """Take up nothing more, answer what has been asked, and send the client to another server."""
        await asyncio.sleep(0)  # what has just been started has said by now whether it goes on
        if answering := [task for task, is_awaited in self._tasks.items() if is_awaited]:
            await asyncio.wait(answering)
        self._close(RESTART, "The server ends; connect again.")

    def _close(self, code: int, reason: str) -> None:
        """Stop everything, and say why once the client has room for it."""
        if self._farewell is None:
            for task in self._tasks:
                task.cancel()
            self._farewell = asyncio.create_task(self._say_farewell(code, reason))

    async def _say_farewell(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(FAREWELL):
                shortened = reason.encode()[:123].decode(errors="ignore")  # as much as a closing frame has room for
                await self._transmit({"type": "websocket.close", "code": code, "reason": shortened})
        except (TimeoutError, OSError):
            assert self._reader is not None, "served"
            self._reader.cancel()

    async def _stop(self) -> None:
        """End everything but the farewell, and wait for all of it."""
        last = [task for task in (self._draining, self._farewell) if task]
        for task in (*self._tasks, *last):
            if task is not self._farewell:
                task.cancel()
        if running := [*self._tasks, *last]:
            await asyncio.wait(running)

    async def _tell(self, message: dict[str, Any]) -> None:
        """Send what is of no matter to nobody."""
        with suppress(ClientGone):
            await self._send(message)

    async def _send(self, message: dict[str, Any]) -> None:
        await self._send_text(orjson.dumps(message))

    async def _send_text(self, text: bytes) -> None:
        if self._farewell:
            raise ClientGone
        try:
            await self._transmit({"type": "websocket.send", "text": text.decode()})
        except (OSError, RuntimeError) as error:  # servers differ in how they say that it is closed
            raise ClientGone from error

    def _known(self, error: Exception) -> FullonError:
        found = as_fullon_error(error, self._context.request_id)
        if isinstance(found, Internal):
            log.error("socket.failed", request_id=self._context.request_id, exc_info=error)
        return found


def formatted(error: FullonError) -> dict[str, Any]:
    """The error as GraphQL tells it."""
    return {"message": error.message, "extensions": error.extensions}
