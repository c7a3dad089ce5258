"""The door for everything that stays open: who may come, how many may be there, and what they bring along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from starlette.types import Scope, Send
from strawberry.http.websocket_origin import is_same_origin, normalize_allowed_origins, normalize_origin

from fullon_graphql.auth.credentials import Credential, credential_in_headers
from fullon_graphql.config import Settings
from fullon_graphql.context import Context
from fullon_graphql.errors import Forbidden, FullonError, RateLimited
from fullon_graphql.observability.metrics import Metrics


class Admission:
    """One for all transports of a process."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._limit = settings.socket_limit
        self._origins = normalize_allowed_origins(settings.cors_origins)
        self._metrics = metrics
        self._open = 0

    @contextmanager
    def passed(self, scope: Scope) -> Iterator[None]:
        """Count a connection for one block.

        Raises:
            Forbidden: it is a socket that a foreign page opens.
            RateLimited: there are as many connections as there may be.
        """
        if scope["type"] == "websocket" and not self._may_come(dict(scope["headers"])):
            raise Forbidden("Pages of this origin may not open sockets; CORS_ORIGINS says whose may.")
        if self._open >= self._limit:
            raise RateLimited("This server has as many open connections as it may; try again later.", retry_after=5)
        self._open += 1
        try:
            with self._metrics.sockets.track_inprogress():
                yield
        finally:
            self._open -= 1

    def _may_come(self, headers: dict[bytes, bytes]) -> bool:
        """Browsers let any page open sockets, and send the visitor's cookies along: ours, and those that are named."""
        origin = _text(headers, b"origin")
        if origin is None or "*" in self._origins:
            return True
        return is_same_origin(origin, _text(headers, b"host") or "") or normalize_origin(origin) in self._origins


def context_of(scope: Scope) -> Context:
    """What operations on this connection share, nobody signed in yet."""
    return Context(
        scope["state"]["worker"],
        request_id=scope["request_id"],
        address=scope["client"][0] if scope.get("client") else None,
        user_agent=_text(dict(scope["headers"]), b"user-agent"),
    )


def credential_of(scope: Scope) -> Credential:
    """What the connection's headers say who it is."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    return credential_in_headers(_text(headers, b"authorization"), _text(headers, b"x-api-key"))


async def refuse(send: Send, error: FullonError) -> None:
    """Answer a socket's handshake with the status and body that any request would get."""
    body = orjson.dumps({"errors": [{"message": error.message, "extensions": error.extensions}]})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
