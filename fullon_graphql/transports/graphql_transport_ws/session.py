"""One socket's side of graphql-transport-ws: who it is, what it runs, and how it ends."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import Any, Final

import orjson
from starlette.types import Receive, Send

from fullon_graphql.auth.credentials import Credential, credential_in_payload
from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.context import Context
from fullon_graphql.engine.operations import GraphQLErrors, OperationExecutor, Request
from fullon_graphql.errors import RateLimited
from fullon_graphql.server.extension import TrySendText
from fullon_graphql.streaming.broadcast import Frame
from fullon_graphql.streaming.connections import Connection, ConnectionRegistry
from fullon_graphql.streaming.registry import StreamRegistry
from fullon_graphql.transports.graphql_transport_ws.messages import (
    Complete,
    ConnectionInit,
    Malformed,
    Ping,
    Pong,
    Subscribe,
    read,
)
from fullon_graphql.transports.websocket_session import TRY_AGAIN, ClientGone, WebSocketSession, formatted

BAD_MESSAGE: Final = 4400
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
BAD_SUBPROTOCOL: Final = 4406
INIT_TIMEOUT: Final = 4408
DUPLICATE_ID: Final = 4409
TOO_MANY_INITS: Final = 4429


class GraphQLSession(WebSocketSession):
    """What a socket knows of itself. Its operations are tasks of its own, which end before `serve` does."""

    def __init__(
        self,
        operations: OperationExecutor,
        streams: StreamRegistry,
        presences: ConnectionRegistry,
        context: Context,
        credential: Credential,
        receive: Receive,
        send: Send,
        offer: TrySendText,
    ) -> None:
        super().__init__(context, presences, receive, send)
        self._operations = operations
        self._streams = streams
        self._credential = credential
        self._offer = offer
        self._has_begun = False
        self._running: dict[str, asyncio.Task[None]] = {}

    async def _hear(self, text: str | None) -> None:
        try:
            await self._handle(text)
        except Malformed as error:
            self._close(BAD_MESSAGE, str(error))

    async def _handle(self, text: str | None) -> None:
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
                await self._greet(payload)

    # ---------------------------------------------------------------- who it is

    async def _greet(self, payload: dict[str, Any] | None) -> None:
        if self._has_begun:
            self._close(TOO_MANY_INITS, "Too many initialisation requests")
            return
        self._has_begun = True
        credential = credential_in_payload(payload) or self._credential
        try:
            caller = await self._context.worker.authenticator.identify(credential, fresh=True)
            if isinstance(caller, Anonymous):
                self._close(FORBIDDEN, "Forbidden")
                return
            self._greeted(Connection(credential, caller, self._warn, self._forbid))
        except Exception as error:
            self._close(TRY_AGAIN, "{0.code}: {0.message}".format(self._known(error)))
            return
        await self._send({"type": "connection_ack"})

    async def _pong(self, payload: dict[str, Any] | None) -> None:
        """Answer a ping; one that carries a credential asks to go on with it."""
        credential = credential_in_payload(payload)
        if credential and self._presence:
            payload = await self._renewed(self._presence, credential)
        await self._send({"type": "pong"} | ({} if payload is None else {"payload": payload}))

    async def _renewed(self, presence: Connection, credential: Credential) -> dict[str, Any]:
        try:
            principal = await self._presences.renew(self._context.worker, presence, credential)
        except Exception as error:
            return {"type": "token-refused", "error": formatted(self._known(error))}
        self._context.caller = principal
        return {"type": "token-renewed", "expiresAt": principal.expires_at}

    def _forbid(self, reason: str) -> None:
        self._close(FORBIDDEN, reason)

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
            await self._send({"id": id_, "type": "error", "payload": [formatted(refusal)]})
        else:
            self._running[id_] = self._start(self._run(id_, request))

    async def _run(self, id_: str, request: Request) -> None:
        try:
            errors = await self._answer(id_, request)
        except GraphQLErrors as error:
            errors = error.errors
        except ClientGone:
            return
        except Exception as error:
            errors = [formatted(self._known(error))]
        self._free(id_)
        await self._tell({"id": id_, "type": "error", "payload": errors} if errors else {"id": id_, "type": "complete"})

    async def _answer(self, id_: str, request: Request) -> Any:
        """Send every response of an operation; what is returned are errors for which it was not run at all."""
        context, head = self._context.fork(), b'{"id":%b,"type":"next","payload":' % orjson.dumps(id_)
        if self._operations.is_subscription(request):
            self._goes_on()
            async with self._streams.listen(request, context, hand=partial(self._hand, head)) as frames:
                async for frame in frames:
                    await self._send_text(b"%b%b}" % (head, frame.body))
            return None
        response = await self._operations.run(request, context)
        if not response.executed:
            return orjson.loads(response.body)["errors"]
        await self._send_text(b"%b%b}" % (head, response.body))
        return None

    def _hand(self, head: bytes, frame: Frame) -> bool:
        """Send a frame without waiting, where that is possible."""
        return self._farewell is None and self._offer(b"%b%b}" % (head, frame.body))

    def _free(self, id_: str) -> None:
        """Let the client use the id again, unless it has done so already."""
        if self._running.get(id_) is asyncio.current_task():
            del self._running[id_]

    def _check_greeted(self) -> None:
        if not self._has_begun:
            self._close(INIT_TIMEOUT, "Connection initialisation timeout")
