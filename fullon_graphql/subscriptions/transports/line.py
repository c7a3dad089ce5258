"""One WebSocket, whatever is spoken on it: its tasks, what may be sent, how many messages may come, and its end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from time import monotonic
from typing import Any, Final

import orjson
import structlog
from starlette.types import Receive, Send

from fullon_graphql.context import Context
from fullon_graphql.errors import FullonError, Internal, RateLimited, as_fullon_error

log = structlog.get_logger(__name__)

POLICY: Final = 1008
RESTART: Final = 1012
TRY_AGAIN: Final = 1013
"""WebSocket's own codes: clients do not come back after the first, and do after the others."""

FAREWELL: Final = 2.0
"""Seconds in which a client must have room for a closing frame; then it is cut off."""


class Gone(Exception):
    """Nobody is there to be told anything."""


class Line(ABC):
    """An accepted socket. What it starts are tasks of its own, which end before `serve` does."""

    def __init__(self, context: Context, receive: Receive, send: Send) -> None:
        self._context = context
        self._settings = context.process.settings
        self._receive = receive
        self._transmit = send
        self._tasks: set[asyncio.Task[Any]] = set()
        self._endless: set[asyncio.Task[Any] | None] = set()
        self._hearing = asyncio.Lock()
        self._ending = False
        self._farewell: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[Any] | None = None
        self._second = 0
        self._in_second = 0

    @abstractmethod
    async def _hear(self, text: str | None, stack: ExitStack) -> None:
        """Take in a message, None for a binary one; what is entered into `stack` is left at the end."""

    @abstractmethod
    def _check_greeted(self) -> None:
        """Close, unless it is known who this is: the time for that is over."""

    async def serve(self, ending: asyncio.Event) -> None:
        """Talk until one side closes; ours does once the server is `ending` and what it has begun is answered."""
        self._reader = asyncio.current_task()
        drain = asyncio.create_task(self._drain(ending))
        late = asyncio.get_running_loop().call_later(self._settings.socket_init_timeout, self._check_greeted)
        with ExitStack() as stack:
            try:
                await self._converse(stack)
            except Gone:
                pass
            except asyncio.CancelledError:
                if self._farewell is None:  # else we have cut it off ourselves
                    raise
            finally:
                late.cancel()
                drain.cancel()
                await self._stop(drain)

    async def _converse(self, stack: ExitStack) -> None:
        while (message := await self._receive())["type"] == "websocket.receive":
            if self._farewell or self._ending:
                continue
            if self._in_time():
                async with self._hearing:
                    await self._hear(message.get("text"), stack)
            else:
                self._close(POLICY, f"{RateLimited.code}: too many messages in a second")

    def _in_time(self) -> bool:
        second = int(monotonic())
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        return self._in_second <= self._settings.socket_messages_per_second

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._endless.discard)
        return task

    def _goes_on(self) -> None:
        """Say of the task that runs now that it has no end of its own; a server that ends does not wait for it."""
        self._endless.add(asyncio.current_task())

    async def _drain(self, ending: asyncio.Event) -> None:
        """Take up nothing more, answer what has been asked, and send the client to another server."""
        await ending.wait()
        self._ending = True
        async with self._hearing:
            await asyncio.sleep(0)  # what has just been started has said by now whether it goes on
            if answering := self._tasks - self._endless:
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

    async def _stop(self, drain: asyncio.Task[None]) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks | {drain} | ({self._farewell} if self._farewell else set()))

    async def _tell(self, message: dict[str, Any]) -> None:
        """Send what is of no matter to nobody."""
        with suppress(Gone):
            await self._send(message)

    async def _send(self, message: dict[str, Any]) -> None:
        await self._send_text(orjson.dumps(message).decode())

    async def _send_text(self, text: str) -> None:
        if self._farewell:
            raise Gone
        try:
            await self._transmit({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError) as error:  # servers differ in how they say that it is closed
            raise Gone from error

    def _known(self, error: Exception) -> FullonError:
        found = as_fullon_error(error, self._context.request_id)
        if isinstance(found, Internal):
            log.error("socket.failed", request_id=self._context.request_id, exc_info=error)
        return found


def formatted(error: FullonError) -> dict[str, Any]:
    """The error as GraphQL tells it."""
    return {"message": error.message, "extensions": error.extensions}
