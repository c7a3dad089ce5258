"""graphql-transport-ws on `/graphql`, as PROTOCOL.md of graphql-ws specifies it: the endpoint and its sessions."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from fullon_graphql.auth.credentials import Credential, credential_in_payload
from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.engine.operations import GraphQLErrors, OperationExecutor, Request
from fullon_graphql.engine.trusted.documents import TrustedDocuments
from fullon_graphql.errors import FullonError, RateLimited
from fullon_graphql.observability.metrics import count_graph_errors, count_limit
from fullon_graphql.server.extension import try_send_of
from fullon_graphql.streaming.backlog import Frame
from fullon_graphql.streaming.connections import Connection, ConnectionRegistry
from fullon_graphql.streaming.registry import COMPLETED_BY_CLIENT, StreamRegistry
from fullon_graphql.transports.admission import (
    Admission,
    connection_context,
    connection_credential,
    refuse_handshake,
)
from fullon_graphql.transports.graphql_transport_ws.messages import (
    Complete,
    ConnectionInit,
    Malformed,
    Ping,
    Pong,
    Subscribe,
    parse,
)
from fullon_graphql.transports.requests import CLIENT_NAME, CLIENT_VERSION
from fullon_graphql.transports.websocket_session import TRY_AGAIN_LATER, ClientGone, WebSocketSession, graphql_error

PROTOCOL: Final = "graphql-transport-ws"

BAD_MESSAGE: Final = 4400
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
BAD_SUBPROTOCOL: Final = 4406
INIT_TIMEOUT: Final = 4408
DUPLICATE_ID: Final = 4409
TOO_MANY_INITS: Final = 4429


class GraphQLSocketEndpoint:
    """The ASGI application for the sockets of the graph."""

    def __init__(
        self,
        operations: OperationExecutor,
        trusted: TrustedDocuments,
        streams: StreamRegistry,
        connections: ConnectionRegistry,
        admission: Admission,
    ) -> None:
        self._operations = operations
        self._trusted = trusted
        self._streams = streams
        self._connections = connections
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # `websocket.connect`, which carries nothing
        try:
            with self._admission.admitted(scope, PROTOCOL):
                await self._serve(scope, receive, send)
        except FullonError as error:
            await refuse_handshake(send, error)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": BAD_SUBPROTOCOL, "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        parts = self._operations, self._trusted, self._streams, self._connections
        await GraphQLSession(*parts, scope, receive, send).serve()


class GraphQLSession(WebSocketSession):
    """The state of one socket. Each operation is a task."""

    __slots__ = ("_credential", "_initialised", "_operations", "_running", "_streams", "_trusted", "_try_send_text")

    def __init__(
        self,
        operations: OperationExecutor,
        trusted: TrustedDocuments,
        streams: StreamRegistry,
        connections: ConnectionRegistry,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        super().__init__(connection_context(scope), connections, scope, receive, send)
        self._operations = operations
        self._trusted = trusted
        self._streams = streams
        self._credential = connection_credential(scope)
        self._try_send_text = try_send_of(scope)
        self._initialised = False
        self._running: dict[str, asyncio.Task[None]] = {}

    async def _on_message(self, text: str | None) -> None:
        try:
            await self._dispatch(text)
        except Malformed as error:
            self._close(BAD_MESSAGE, str(error))

    async def _dispatch(self, text: str | None) -> None:
        match parse(text):
            case Subscribe(id_, request):
                await self._subscribe(id_, request)
            case Complete(id_):
                if task := self._running.pop(id_, None):
                    task.cancel(COMPLETED_BY_CLIENT)
            case Ping(payload):
                await self._on_ping(payload)
            case Pong():
                pass
            case ConnectionInit(payload):
                await self._initialise(payload)

    # ---------------------------------------------------------------- authentication

    async def _initialise(self, payload: dict[str, Any] | None) -> None:
        if self._initialised:
            self._close(TOO_MANY_INITS, "Too many initialisation requests")
            return
        self._initialised = True
        credential = credential_in_payload(payload) or self._credential
        if isinstance(client := (payload or {}).get(CLIENT_NAME), str):
            self._context.client = client
            if self._record:
                self._record.client = client
        if self._record and isinstance(version := (payload or {}).get(CLIENT_VERSION), str):
            self._record.client_version = version
        try:
            caller = await self._context.worker.authenticator.identify(credential)
            if isinstance(caller, Anonymous):
                self._close(FORBIDDEN, "Forbidden")
                return
            self._authenticated(Connection(credential, caller, self._warn, self._forbid))
        except Exception as error:
            self._close(TRY_AGAIN_LATER, "{0.code}: {0.message}".format(self._to_fullon_error(error)))
            return
        await self._send({"type": "connection_ack"})

    async def _on_ping(self, payload: dict[str, Any] | None) -> None:
        """Answer a ping. A credential in it replaces that of the connection."""
        credential = credential_in_payload(payload)
        if credential and self._connection:
            payload = await self._renew(self._connection, credential)
        await self._send({"type": "pong"} | ({} if payload is None else {"payload": payload}))

    async def _renew(self, connection: Connection, credential: Credential) -> dict[str, Any]:
        try:
            principal = await self._connections.renew(self._context.worker, connection, credential)
        except Exception as error:
            return {"type": "token-refused", "error": graphql_error(self._to_fullon_error(error))}
        self._context.caller = principal
        return {"type": "token-renewed", "expiresAt": principal.expires_at}

    def _forbid(self, reason: str) -> None:
        self._close(FORBIDDEN, reason)

    def _warn(self, expires_at: datetime) -> None:
        payload = {"type": "token-expiring", "expiresAt": expires_at}
        self._start(self._send_if_open({"type": "ping", "payload": payload}))

    def _on_authentication_timeout(self) -> None:
        if not self._initialised:
            self._close(INIT_TIMEOUT, "Connection initialisation timeout")

    # ---------------------------------------------------------------- operations

    async def _subscribe(self, id_: str, request: Request) -> None:
        limit = self._settings.subscriptions_per_socket
        if self._connection is None:
            self._close(UNAUTHORIZED, "Unauthorized")
        elif id_ in self._running:
            self._close(DUPLICATE_ID, f"Subscriber for {id_} already exists")
        elif len(self._running) >= limit:
            count_limit("SUBSCRIPTIONS_PER_SOCKET")
            error = RateLimited(f"This socket runs {limit} operations, the limit; complete some.", retry_after=1)
            await self._send({"id": id_, "type": "error", "payload": [graphql_error(error)]})
        else:
            self._running[id_] = self._start(self._run(id_, request))

    async def _run(self, id_: str, request: Request) -> None:
        try:
            errors = await self._execute(id_, request)
        except GraphQLErrors as error:
            errors = error.errors
            count_graph_errors(errors)
        except ClientGone:
            return
        except Exception as error:
            errors = [graphql_error(self._to_fullon_error(error))]
        self._release(id_)
        last: dict[str, Any] = {"type": "error", "payload": errors} if errors else {"type": "complete"}
        await self._send_if_open({"id": id_} | last)

    async def _execute(self, id_: str, request: Request) -> Any:
        """Send every response of an operation. Returns the errors of an operation that was not executed."""
        self._context.worker.rate_limits.spend(self._context.caller, self._context.address)
        context, head = self._context.fork(), b'{"id":%b,"type":"next","payload":' % orjson.dumps(id_)
        request = await self._trusted.resolve(request, context.redis)
        if await self._operations.is_subscription(request):
            self._mark_as_stream()
            try_send = partial(self._try_send_frame, head)
            async with self._streams.subscribe(request, context, try_send=try_send, transport=PROTOCOL) as frames:
                async for frame in frames:
                    await self._send_text(b"%b%b}" % (head, frame.body))
            return None
        response = await self._operations.run(request, context)
        if not response.executed:
            return orjson.loads(response.body)["errors"]
        await self._send_text(b"%b%b}" % (head, response.body))
        return None

    def _try_send_frame(self, head: bytes, frame: Frame) -> bool:
        return self._closing is None and self._try_send_text(b"%b%b}" % (head, frame.body))

    def _release(self, id_: str) -> None:
        """Let the client use the id again, unless it has already started another operation under it."""
        if self._running.get(id_) is asyncio.current_task():
            del self._running[id_]
