"""One socket's side of graphql-transport-ws: who it is, what it runs, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from datetime import datetime
from time import monotonic
from typing import Any, Final

import orjson
import structlog
from starlette.types import Receive, Send

from fullon_graphql.auth.credentials import Credential, credential_in_payload
from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.context import Context
from fullon_graphql.engine.operations import GraphQLErrors, Operations, Request
from fullon_graphql.errors import FullonError, Internal, RateLimited, as_fullon_error
from fullon_graphql.subscriptions.presence import Presence, Presences
from fullon_graphql.subscriptions.sharing import Streams
from fullon_graphql.subscriptions.transports.messages import (
    Complete,
    ConnectionInit,
    Malformed,
    Ping,
    Pong,
    Subscribe,
    read,
)

log = structlog.get_logger(__name__)

BAD_MESSAGE: Final = 4400
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
BAD_SUBPROTOCOL: Final = 4406
INIT_TIMEOUT: Final = 4408
DUPLICATE_ID: Final = 4409
TOO_MANY_INITS: Final = 4429
POLICY: Final = 1008
TRY_AGAIN: Final = 1013
"""The last two are WebSocket's own: clients do not come back after the first, and do after the second."""

FAREWELL: Final = 2.0
"""Seconds in which a client must have room for a closing frame; then it is cut off."""


class Gone(Exception):
    """Nobody is there to be told anything."""


class Socket:
    """What a socket knows of itself. Its operations are tasks of its own, which end before `serve` does."""

    def __init__(
        self,
        operations: Operations,
        streams: Streams,
        presences: Presences,
        context: Context,
        credential: Credential,
        receive: Receive,
        send: Send,
    ) -> None:
        self._operations = operations
        self._streams = streams
        self._presences = presences
        self._context = context
        self._settings = context.process.settings
        self._credential = credential
        self._receive = receive
        self._transmit = send
        self._greeted = False
        self._presence: Presence | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._farewell: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[Any] | None = None
        self._second = 0
        self._in_second = 0

    async def serve(self) -> None:
        """Talk until one side closes."""
        self._reader = asyncio.current_task()
        late = asyncio.get_running_loop().call_later(self._settings.socket_init_timeout, self._end_unless_greeted)
        with ExitStack() as stack:
            try:
                await self._converse(stack)
            except asyncio.CancelledError:
                if self._farewell is None:  # else we have cut it off ourselves
                    raise
            finally:
                late.cancel()
                await self._stop()

    async def _converse(self, stack: ExitStack) -> None:
        while (message := await self._receive())["type"] == "websocket.receive":
            if self._farewell:
                continue
            try:
                await self._handle(message.get("text"), stack)
            except Malformed as error:
                self._close(BAD_MESSAGE, str(error))
            except Gone:
                return

    async def _handle(self, text: str | None, stack: ExitStack) -> None:
        if not self._in_time():
            self._close(POLICY, f"{RateLimited.code}: too many messages in a second")
            return
        match read(text):
            case Subscribe(id_, request):
                await self._subscribe(id_, request)
            case Complete(id_):
                if task := self._running.pop(id_, None):
                    task.cancel()
            case Ping(payload):
                await self._pong(payload)
            case Pong():
                pass
            case ConnectionInit(payload):
                await self._greet(payload, stack)

    def _in_time(self) -> bool:
        second = int(monotonic())
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        return self._in_second <= self._settings.socket_messages_per_second

    # ---------------------------------------------------------------- who it is

    async def _greet(self, payload: dict[str, Any] | None, stack: ExitStack) -> None:
        if self._greeted:
            self._close(TOO_MANY_INITS, "Too many initialisation requests")
            return
        self._greeted = True
        credential = credential_in_payload(payload) or self._credential
        try:
            caller = await self._context.process.identities.identify(credential, anew=True)
            if isinstance(caller, Anonymous):
                self._close(FORBIDDEN, "Forbidden")
                return
            presence = Presence(credential, caller, self._warn, lambda reason: self._close(FORBIDDEN, reason))
            stack.enter_context(self._presences.present(presence))
        except Exception as error:
            self._close(TRY_AGAIN, "{0.code}: {0.message}".format(self._known(error)))
            return
        self._presence, self._context.caller = presence, caller
        await self._send({"type": "connection_ack"})

    async def _pong(self, payload: dict[str, Any] | None) -> None:
        """Answer a ping; one that carries a credential asks to go on with it."""
        credential = credential_in_payload(payload)
        if credential and self._presence:
            payload = await self._renewed(self._presence, credential)
        await self._send({"type": "pong"} | ({} if payload is None else {"payload": payload}))

    async def _renewed(self, presence: Presence, credential: Credential) -> dict[str, Any]:
        try:
            principal = await self._presences.renew(self._context.process, presence, credential)
        except Exception as error:
            return {"type": "token-refused", "error": _formatted(self._known(error))}
        self._context.caller = principal
        return {"type": "token-renewed", "expiresAt": principal.expires_at}

    def _warn(self, expires_at: datetime) -> None:
        payload = {"type": "token-expiring", "expiresAt": expires_at}
        self._start(self._tell({"type": "ping", "payload": payload}))

    # ---------------------------------------------------------------- what it runs

    async def _subscribe(self, id_: str, request: Request) -> None:
        limit = self._settings.subscriptions_per_socket
        if self._presence is None:
            self._close(UNAUTHORIZED, "Unauthorized")
        elif id_ in self._running:
            self._close(DUPLICATE_ID, f"Subscriber for {id_} already exists")
        elif len(self._running) >= limit:
            refusal = RateLimited(f"This socket runs {limit} operations, as many as it may.", retry_after=1)
            await self._send({"id": id_, "type": "error", "payload": [_formatted(refusal)]})
        else:
            self._running[id_] = self._start(self._run(id_, request))

    async def _run(self, id_: str, request: Request) -> None:
        try:
            errors = await self._answer(id_, request)
        except GraphQLErrors as error:
            errors = error.errors
        except Gone:
            return
        except Exception as error:
            errors = [_formatted(self._known(error))]
        self._free(id_)
        await self._tell({"id": id_, "type": "error", "payload": errors} if errors else {"id": id_, "type": "complete"})

    async def _answer(self, id_: str, request: Request) -> Any:
        """Send every response of an operation; what is returned are errors for which it was not run at all."""
        context = self._context.fork()
        head = f'{{"id":{orjson.dumps(id_).decode()},"type":"next","payload":'
        if self._operations.is_subscription(request):
            async with self._streams.listen(request, context) as listener:
                async for frame in listener:
                    await self._send_text(f"{head}{frame.text}}}")
            return None
        response = await self._operations.run(request, context)
        if not response.executed:
            return orjson.loads(response.body)["errors"]
        await self._send_text(f"{head}{response.body.decode()}}}")
        return None

    def _free(self, id_: str) -> None:
        """Let the client use the id again, unless it has done so already."""
        if self._running.get(id_) is asyncio.current_task():
            del self._running[id_]

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ---------------------------------------------------------------- how it ends

    def _end_unless_greeted(self) -> None:
        if not self._greeted:
            self._close(INIT_TIMEOUT, "Connection initialisation timeout")

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
        for task in self._tasks:
            task.cancel()
        if pending := self._tasks | ({self._farewell} if self._farewell else set()):
            await asyncio.wait(pending)

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


def _formatted(error: FullonError) -> dict[str, Any]:
    return {"message": error.message, "extensions": error.extensions}
