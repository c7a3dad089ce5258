"""The platform's socket protocols: the endpoint, and one connection's session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from time import perf_counter
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from starlette.types import Receive, Scope, Send

from fullon_graphql.auth.credentials import BearerToken, Credential, credential_in_payload
from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.engine.operations import GraphQLErrors, OperationExecutor
from fullon_graphql.errors import PLATFORM_CODES, CircuitOpen, FullonError, NotFound, RateLimited
from fullon_graphql.observability.metrics import count_error, count_limit
from fullon_graphql.observability.request_log import LOGGED_FIELDS
from fullon_graphql.observability.request_record import forget_headers
from fullon_graphql.streaming.connections import Connection, ConnectionRegistry
from fullon_graphql.streaming.registry import StreamRegistry
from fullon_graphql.transports.admission import (
    Admission,
    connection_context,
    connection_credential,
    refuse_handshake,
)
from fullon_graphql.transports.platform_ws.graph_client import TRANSPORT, GraphClient, Result, Source, Stream
from fullon_graphql.transports.platform_ws.protocols import (
    UNSUBSCRIBE,
    InvalidRequest,
    PlatformProtocol,
    PlatformRequest,
    protocol_at,
)
from fullon_graphql.transports.websocket_session import (
    POLICY_VIOLATION,
    TRY_AGAIN_LATER,
    ClientGone,
    WebSocketSession,
)

MISSING_TOKEN: Final = "Missing authentication token"  # noqa: S105  # a sentence
INVALID_TOKEN: Final = "Invalid authentication token"  # noqa: S105  # a sentence
NOT_CHECKED: Final = "Authentication error"
"""The platform's reasons for closing with 1008."""


class PlatformSocketEndpoint:
    """The ASGI application for all sockets but the graph's.

    Without `operations`, which are those of the whole graph, it refuses all.
    """

    def __init__(
        self,
        operations: OperationExecutor | None,
        streams: StreamRegistry,
        connections: ConnectionRegistry,
        admission: Admission,
        api_prefix: str,
    ) -> None:
        self._api_prefix = api_prefix
        self._operations = operations
        self._streams = streams
        self._connections = connections
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # `websocket.connect`, which carries nothing
        try:
            if self._operations is None:
                raise NotFound("A subgraph has no platform sockets. Connect to a server of the whole graph.")
            protocol = protocol_at(scope["path"], self._api_prefix)
            if protocol is None:
                raise NotFound("There is no socket at this address.")
            with self._admission.admitted(scope, TRANSPORT):
                await send({"type": "websocket.accept"})
                client = GraphClient(self._operations, self._streams, connection_context(scope))
                session = PlatformSession(protocol, client, self._connections, scope, receive, send)
                forget_headers(scope, LOGGED_FIELDS)
                await session.serve()
        except FullonError as error:
            await refuse_handshake(send, error)


def _credential(scope: Scope) -> Credential:
    """The token in the address, which the platform's clients send, else the credential in the headers."""
    tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return BearerToken(tokens[0]) if tokens else connection_credential(scope)


class PlatformSession(WebSocketSession):
    """Answers one message after the other; each stream is a task."""

    __slots__ = ("_client", "_credential", "_protocol", "_running")

    def __init__(
        self,
        protocol: PlatformProtocol,
        client: GraphClient,
        connections: ConnectionRegistry,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        super().__init__(client.context, connections, scope, receive, send)
        self._protocol = protocol
        self._client = client
        self._credential = _credential(scope)
        self._running: dict[str, asyncio.Task[None]] = {}

    # ---------------------------------------------------------------- authentication

    async def _begin(self) -> None:
        """Authenticate with the credential of the handshake."""
        if self._credential:
            await self._authenticate(self._credential)

    def _on_authentication_timeout(self) -> None:
        if self._connection is None:
            self._close(POLICY_VIOLATION, MISSING_TOKEN)

    async def _on_message(self, text: str | None) -> None:
        message = _object(text)
        token = message and message.get("token")
        if isinstance(token, str):
            await self._on_token(token)
            if message is None or message.keys() == {"token"}:
                return
        if self._connection is None:
            self._close(POLICY_VIOLATION, MISSING_TOKEN)
        else:
            await self._on_request(message)

    async def _on_token(self, token: str) -> None:
        """Authenticate, or renew the credential of the connection."""
        credential = credential_in_payload({"authorization": token})
        if self._connection is None:
            await self._authenticate(credential)
            return
        try:
            worker = self._context.worker
            self._context.caller = await self._connections.renew(worker, self._connection, credential)
        except Exception as error:
            await self._send(self._error(None, error))

    async def _authenticate(self, credential: Credential) -> None:
        try:
            caller = await self._context.worker.authenticator.identify(credential)
            if isinstance(caller, Anonymous):
                self._close(POLICY_VIOLATION, INVALID_TOKEN)
                return
            self._authenticated(Connection(credential, caller, lambda _: None, self._revoke))
        except RateLimited as error:
            self._close(TRY_AGAIN_LATER, f"{error.code}: {error.message}")
        except Exception as error:
            self._to_fullon_error(error)
            self._close(POLICY_VIOLATION, NOT_CHECKED)

    def _revoke(self, reason: str) -> None:
        self._close(POLICY_VIOLATION, reason)

    # ---------------------------------------------------------------- requests

    async def _on_request(self, message: Result | None) -> None:
        request: PlatformRequest | None = None
        try:
            if message is None:
                raise InvalidRequest("MALFORMED_MESSAGE", "Invalid JSON format")
            request = self._protocol.parse(message)
            self._context.worker.rate_limits.spend(self._context.caller, self._context.address)
            await self._answer(request)
        except ClientGone:
            raise
        except Exception as error:
            await self._send(self._error(request, error))

    async def _answer(self, request: PlatformRequest) -> None:
        started, protocol = perf_counter(), self._protocol
        if request.name == UNSUBSCRIBE:
            await self._stop_streams(request)
        elif read := protocol.reads.get(request.name):
            result = await read.run(self._client, request.params)
            await self._send(protocol.answer(request, result, 1000 * (perf_counter() - started)))
        elif stream := protocol.streams.get(request.name):
            await self._start_stream(request, stream)
        else:
            raise InvalidRequest("INVALID_OPERATION", f"Unknown operation '{request.name[:80]}'.")

    async def _start_stream(self, request: PlatformRequest, stream: Stream) -> None:
        limit = self._settings.subscriptions_per_socket
        if request.parts.keys() & self._running.keys():
            raise InvalidRequest("INVALID_PARAMS", "A stream with this key is running already.")
        if len(self._running) + len(request.parts) > limit:
            count_limit("SUBSCRIPTIONS_PER_SOCKET")
            raise RateLimited(f"A socket runs at most {limit} streams; end some.", retry_after=1)
        sources = {key: await stream.open(self._client, params) for key, params in request.parts.items()}
        await self._send(self._protocol.started(request))
        for key, opened in sources.items():
            self._running[key] = self._start(self._run(request, key, stream, opened))

    async def _stop_streams(self, request: PlatformRequest) -> None:
        ended = request.parts.keys() or set(self._running)
        if not ended <= self._running.keys():
            raise InvalidRequest("INVALID_PARAMS", "No stream with this key is running.")
        for key in ended:
            self._running.pop(key).cancel()
        await self._send(self._protocol.stopped(request))

    # ---------------------------------------------------------------- streams

    async def _run(self, request: PlatformRequest, key: str, stream: Stream, sources: Sequence[Source]) -> None:
        """Send the results of all sources, until one fails or all have ended."""
        self._mark_as_stream()
        try:
            async with asyncio.TaskGroup() as group:
                for source in sources:
                    group.create_task(self._relay(request, stream, source))
        except ExceptionGroup as failed:
            error = failed.exceptions[0]
            if isinstance(error, ClientGone):
                return
            if self._running.get(key) is asyncio.current_task():
                del self._running[key]
            await self._send_if_open(self._error(request, error))

    async def _relay(self, request: PlatformRequest, stream: Stream, source: Source) -> None:
        async with aclosing(source.events) as events:
            async for event in events:
                for result in source.results(event):
                    await self._send(self._protocol.update(request, stream.update, result))

    def _error(self, request: PlatformRequest | None, error: Exception) -> Result:
        match error:
            case InvalidRequest():
                count_error("socket", error.code)
                return self._protocol.error(request, error.code, str(error))
            case GraphQLErrors():
                first = error.errors[0]
                extensions, message = first.get("extensions", {}), first["message"]
            case _:
                known = self._to_fullon_error(error)
                extensions, message = known.extensions, known.message
        code = extensions.get("code", "INTERNAL")
        count_error("socket", code)
        answer = self._protocol.error(request, self._protocol.code(code, request), message)
        word = PLATFORM_CODES.get(code) or self._circuit_code(extensions.get("service"))
        return answer | {"platform_code": word} if word else answer

    def _circuit_code(self, service: str | None) -> str | None:
        """The platform's word if the circuit of a store that does not answer is open."""
        breaker = self._context.worker.breakers.get(service or "")
        return CircuitOpen.platform_code if breaker and breaker.state != "closed" else None


def _object(text: str | None) -> dict[str, Any] | None:
    """The JSON object in a message; None if it has none."""
    try:
        value = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
