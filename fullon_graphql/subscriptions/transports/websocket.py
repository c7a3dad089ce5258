"""graphql-transport-ws on `/graphql`, by the letter of its protocol, as one plain ASGI application."""

from __future__ import annotations

import orjson
import structlog
from starlette.types import Receive, Scope, Send
from strawberry.http.websocket_origin import is_same_origin, normalize_allowed_origins, normalize_origin

from fullon_graphql.auth.credentials import credential_in_headers
from fullon_graphql.config import Settings
from fullon_graphql.context import Context
from fullon_graphql.engine.operations import Operations
from fullon_graphql.errors import Forbidden, FullonError, RateLimited
from fullon_graphql.subscriptions.presence import Presences
from fullon_graphql.subscriptions.sharing import Streams
from fullon_graphql.subscriptions.transports.socket import BAD_SUBPROTOCOL, Socket

log = structlog.get_logger(__name__)

PROTOCOL = "graphql-transport-ws"


class SocketEndpoint:
    """The door for sockets. It finds the `Process` in the state that the lifespan yielded."""

    def __init__(self, operations: Operations, streams: Streams, presences: Presences, settings: Settings) -> None:
        self._operations = operations
        self._streams = streams
        self._presences = presences
        self._settings = settings
        self._origins = normalize_allowed_origins(settings.cors_origins)
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        await receive()  # `websocket.connect`: there is nothing in it
        if refusal := self._refusal(headers):
            await _refuse(send, refusal)
            return
        if PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": BAD_SUBPROTOCOL, "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        self._open += 1
        try:
            with self._operations.metrics.sockets.track_inprogress():
                await self._socket(scope, headers, receive, send).serve()
        finally:
            self._open -= 1

    def _refusal(self, headers: dict[bytes, bytes]) -> FullonError | None:
        if not self._may_come(headers):
            return Forbidden("Pages of this origin may not open sockets; CORS_ORIGINS says whose may.")
        if self._open >= self._settings.socket_limit:
            return RateLimited("This server has as many sockets as it may; try again later.", retry_after=5)
        return None

    def _may_come(self, headers: dict[bytes, bytes]) -> bool:
        """Browsers let any page open sockets, and send the visitor's cookies along: ours, and those that are named."""
        origin = _text(headers, b"origin")
        if origin is None or "*" in self._origins:
            return True
        return is_same_origin(origin, _text(headers, b"host") or "") or normalize_origin(origin) in self._origins

    def _socket(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> Socket:
        context = Context(
            scope["state"]["process"],
            request_id=scope["request_id"],
            address=scope["client"][0] if scope.get("client") else None,
            user_agent=_text(headers, b"user-agent"),
        )
        credential = credential_in_headers(_text(headers, b"authorization"), _text(headers, b"x-api-key"))
        return Socket(self._operations, self._streams, self._presences, context, credential, receive, send)


async def _refuse(send: Send, error: FullonError) -> None:
    """Answer the handshake with the status and body that any request would get."""
    body = orjson.dumps({"errors": [{"message": error.message, "extensions": error.extensions}]})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
