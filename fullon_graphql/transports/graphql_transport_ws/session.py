"""graphql-transport-ws on `/graphql`, as PROTOCOL.md of graphql-ws specifies it: the endpoint and its sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal, TypeAlias

import orjson
from starlette.types import Receive, Scope, Send

from fullon_graphql.auth.credentials import Credential, credential_in_payload
from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.engine.operations import GraphQLErrors, OperationExecutor, Request
from fullon_graphql.engine.trusted.documents import TrustedDocuments
from fullon_graphql.errors import FullonError, RateLimited
from fullon_graphql.observability.metrics import count_graph_errors, count_limit
from fullon_graphql.observability.request_log import LOGGED_FIELDS
from fullon_graphql.observability.request_record import forget_headers
from fullon_graphql.server.extension import TrySendText, try_send_of
from fullon_graphql.streaming.backlog import Frame
from fullon_graphql.streaming.catch_up import CatchUpStream
from fullon_graphql.streaming.connections import Connection, ConnectionRegistry
from fullon_graphql.streaming.registry import (
    COMPLETED_BY_CLIENT,
    ENDED_BY_SERVER,
    OpenSubscription,
    StreamRegistry,
)
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
            self._admission.admit(scope, PROTOCOL)
        except FullonError as error:
            await refuse_handshake(send, error)
            return
        try:
            if session := await self._accept(scope, receive, send):
                await session.serve()
        finally:
            self._admission.release(PROTOCOL)

    async def _accept(self, scope: Scope, receive: Receive, send: Send) -> GraphQLSession | None:
        """The session of an accepted socket; None if it has been closed."""
        if PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": BAD_SUBPROTOCOL, "reason": "Subprotocol not acceptable"})
            return None
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        parts = self._operations, self._trusted, self._streams, self._connections
        session = GraphQLSession(*parts, scope, receive, send)
        forget_headers(scope, LOGGED_FIELDS)
        return session


Outcome: TypeAlias = Sequence[Any] | Literal["waits"] | None
"""How the work of an operation has ended: with errors, or with its last response unless it waits for events."""


@dataclass(slots=True, eq=False)
class _Operation:
    """An operation that a client has started: a task, or a subscription that waits without one."""

    session: GraphQLSession
    id: str
    head: bytes
    """The beginning of its messages."""
    try_send_text: TrySendText
    task: asyncio.Task[None] | None = None
    subscription: OpenSubscription | None = None

    def try_send(self, frame: Frame) -> bool:
        """Send an event without waiting, unless the client has no capacity."""
        return self.try_send_text(b"%b%b}" % (self.head, frame.body))

    def resume(self) -> None:
        """Deliver what `try_send` could not."""
        self.session._resume(self)

    def end(self, error: BaseException | None) -> None:
        """End its subscription, if it has one that has not ended."""
        if self.subscription:
            self.subscription.close(error)
            self.subscription = None


class GraphQLSession(WebSocketSession):
    """The state of one socket."""

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
        self._running: dict[str, _Operation] = {}

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
                if operation := self._running.pop(id_, None):
                    self._complete(operation)
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
            head = b'{"id":%b,"type":"next","payload":' % orjson.dumps(id_)
            operation = self._running[id_] = _Operation(self, id_, head, self._try_send_text)
            operation.task = self._start(self._run(operation, partial(self._execute, operation, request)))

    def _complete(self, operation: _Operation) -> None:
        if operation.task:
            operation.task.cancel(COMPLETED_BY_CLIENT)
        operation.end(asyncio.CancelledError(COMPLETED_BY_CLIENT))

    async def _run(self, operation: _Operation, work: Callable[[], Coroutine[Any, Any, Outcome]]) -> None:
        """Do the work of an operation, and send the last message unless it waits."""
        try:
            outcome = await work()
        except GraphQLErrors as error:
            outcome = error.errors
            count_graph_errors(error.errors)
        except ClientGone:
            return
        except Exception as error:
            outcome = [graphql_error(self._to_fullon_error(error))]
        if outcome == "waits":
            return
        if self._running.get(operation.id) is operation:  # else the client uses the id again
            del self._running[operation.id]
        last: dict[str, Any] = {"type": "error", "payload": outcome} if outcome else {"type": "complete"}
        await self._send_if_open({"id": operation.id} | last)

    async def _execute(self, operation: _Operation, request: Request) -> Outcome:
        """Send the response to an operation, or the first ones of a subscription."""
        self._context.worker.rate_limits.spend(self._context.caller, self._context.address)
        context = self._context.fork()
        request = await self._trusted.resolve(request, context.redis)
        if await self._operations.is_subscription(request):
            self._mark_as_stream()
            operation.subscription = await self._streams.open(
                request, context, try_send=operation.try_send, transport=PROTOCOL
            )
            return await self._deliver(operation)
        response = await self._operations.run(request, context)
        if not response.executed:
            errors: list[Any] = orjson.loads(response.body)["errors"]
            return errors
        await self._send_text(b"%b%b}" % (operation.head, response.body))
        return None

    async def _deliver(self, operation: _Operation) -> Outcome:
        """Send the responses that a subscription has. Then it waits without a task, unless it has ended."""
        assert operation.subscription, "ended by this task, or with its cancellation"
        frames = operation.subscription.frames
        try:
            if isinstance(frames, CatchUpStream):
                while past_frame := await frames.next_past_frame():
                    await self._send_text(b"%b%b}" % (operation.head, past_frame.body))
                frames = frames.live
            while frame := await frames.next_frame():
                await self._send_text(b"%b%b}" % (operation.head, frame.body))
            if not frames.has_ended and self._running.get(operation.id) is operation:
                operation.task = None
                frames.call_when_needed(operation.resume)
                return "waits"
        except StopAsyncIteration:  # the stream with the past has ended
            pass
        except BaseException as error:
            operation.end(error)
            raise
        operation.end(None)
        return None

    def _resume(self, operation: _Operation) -> None:
        """Deliver what `try_send` could not."""
        operation.task = self._start(self._run(operation, partial(self._deliver, operation)), is_awaited=False)

    def _close(self, code: int, reason: str) -> None:
        """Send nothing but the closing frame."""
        super()._close(code, reason)
        self._end_all(asyncio.CancelledError(ENDED_BY_SERVER))

    async def _stop(self) -> None:
        """End all operations."""
        self._end_all(ClientGone())
        await super()._stop()

    def _end_all(self, error: BaseException) -> None:
        for operation in self._running.values():
            operation.end(error)
