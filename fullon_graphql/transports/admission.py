"""Admission of connections that stay open: allowed origins, the limit of a worker, and what a connection carries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from starlette.types import Scope, Send
from strawberry.http.websocket_origin import is_same_origin, normalize_allowed_origins, normalize_origin

from fullon_graphql.auth.credentials import Credential, credential_in_fields
from fullon_graphql.config import Settings
from fullon_graphql.context import Context
from fullon_graphql.errors import Forbidden, FullonError, RateLimited, ServiceUnavailable
from fullon_graphql.observability.metrics import Metrics, count_error, count_limit
from fullon_graphql.server.response_headers import retry_after_header
from fullon_graphql.server.shutdown import retry_seconds, shutdown_of
from fullon_graphql.transports.requests import CLIENT_NAME


class Admission:
    """Counts the open connections of a worker, for all transports."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._limit = settings.socket_limit
        self._origins = normalize_allowed_origins(settings.cors_origins)
        self._metrics = metrics
        self._open = 0

    @contextmanager
    def admitted(self, scope: Scope, protocol: str) -> Iterator[None]:
        """Count a connection of a protocol for one block. Raises as `admit` does."""
        self.admit(scope, protocol)
        try:
            yield
        finally:
            self.release(protocol)

    def admit(self, scope: Scope, protocol: str) -> None:
        """Count a connection of a protocol until `release`.

        Raises:
            Forbidden: a page of another origin opens a socket.
            RateLimited: the worker has reached its limit of connections.
            ServiceUnavailable: the server shuts down.
        """
        if shutdown_of(scope).has_begun:
            raise ServiceUnavailable("server", "The server shuts down; connect again.", retry_after=retry_seconds())
        if scope["type"] == "websocket" and not self._is_allowed_origin(dict(scope["headers"])):
            raise Forbidden("Pages of this origin may not open sockets; CORS_ORIGINS lists the origins that may.")
        if self._open >= self._limit:
            count_limit("SOCKET_LIMIT")
            raise RateLimited("This server has reached its limit of connections; try again later.", retry_after=5)
        self._count(protocol, 1)

    def release(self, protocol: str) -> None:
        """Count a connection no more."""
        self._count(protocol, -1)

    def _count(self, protocol: str, connections: int) -> None:
        self._open += connections
        self._metrics.sockets.inc(connections)
        self._metrics.connections.labels(protocol).inc(connections)

    def _is_allowed_origin(self, headers: dict[bytes, bytes]) -> bool:
        """Browsers let every page open sockets, and send the user's cookies. Only our origin and named ones may."""
        origin = _text(headers, b"origin")
        if origin is None or "*" in self._origins:
            return True
        return is_same_origin(origin, _text(headers, b"host") or "") or normalize_origin(origin) in self._origins


def connection_context(scope: Scope) -> Context:
    """The context of a connection, not authenticated yet; its operations fork it."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    return Context(
        scope["state"]["worker"],
        request_id=scope["request_id"],
        address=scope["client"][0] if scope.get("client") else None,
        user_agent=_text(headers, b"user-agent"),
        client=_text(headers, CLIENT_NAME.encode()),
    )


def connection_credential(scope: Scope) -> Credential:
    """The credential in the headers of a connection."""
    return credential_in_fields(dict(scope["headers"]))


async def refuse_handshake(send: Send, error: FullonError) -> None:
    """Answer a socket's handshake with the status and body of any other request."""
    count_error("socket", error.code)
    body = orjson.dumps({"errors": [{"message": error.message, "extensions": error.extensions}]})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += retry_after_header(error)
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
