"""Request ids: every request and socket has one, so that a client's report can be found in the log."""

from __future__ import annotations

import re
import secrets
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

HEADER = b"x-request-id"
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """ASGI middleware: takes the id over from a proxy or generates one, for logs, errors and the response header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = _from_header(scope) or _generate()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id.encode())]
            await send(message)

        # Never unbound: the server runs every request in a task, hence in a context, of its own.
        bind_contextvars(request_id=request_id)
        await self._app(scope, receive, send if scope["type"] == "websocket" else send_with_id)


_PREFIX = secrets.token_hex(12)
_numbers = count()


def _generate() -> str:
    """An id that is unique across processes: a random prefix and a number."""
    return f"{_PREFIX}{next(_numbers):08x}"


def _from_header(scope: Scope) -> str | None:
    value: bytes = dict(scope["headers"]).get(HEADER, b"")
    return value.decode() if _ACCEPTABLE.fullmatch(value) else None
