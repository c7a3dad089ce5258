"""Request ids: every request and socket has one, so that a client's report can be found in the log."""

from __future__ import annotations

import re
import secrets
from itertools import count
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from fullon_graphql.observability.request_log import RequestLog, record_of

HEADER = b"x-request-id"
CLIENT_NAME = b"apollographql-client-name"
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """ASGI middleware: takes the id over from a proxy or generates one, for logs, errors and the response header.

    Each request and socket gets a line in `log` when it ends.
    """

    def __init__(self, app: ASGIApp, log: RequestLog | None = None) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = scope["request_id"] = _from_header(headers) or _generate()
        record = record_of(scope)
        if client := headers.get(CLIENT_NAME):
            record.client = client.decode("latin-1")
        del headers  # a socket would keep them as long as it is open

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id.encode())]
            await send(message)

        # Never unbound: the server runs every request in a task, hence in a context, of its own.
        bind_contextvars(request_id=request_id)
        started = perf_counter()
        try:
            await self._app(scope, receive, send if scope["type"] == "websocket" else send_with_id)
        finally:
            if self._log:
                self._log.add(scope, record, perf_counter() - started)


_PREFIX = secrets.token_hex(12)
_numbers = count()


def _generate() -> str:
    """An id that is unique across processes: a random prefix and a number."""
    return f"{_PREFIX}{next(_numbers):08x}"


def _from_header(headers: dict[bytes, bytes]) -> str | None:
    value = headers.get(HEADER, b"")
    return value.decode() if _ACCEPTABLE.fullmatch(value) else None
