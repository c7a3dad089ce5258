"""A name for every request and socket, so that what a client reports can be found in the log."""

from __future__ import annotations

import re
import secrets
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

HEADER = b"x-request-id"
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """ASGI middleware: takes the id a proxy has given, or makes one; logs, errors and the answer's header carry it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = _given(scope) or _made()

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id.encode())]
            await send(message)

        # Never unbound: the server runs every request in a task, hence in a context, of its own.
        bind_contextvars(request_id=request_id)
        await self._app(scope, receive, send if scope["type"] == "websocket" else send_named)


_START = secrets.token_hex(12)
_numbers = count()


def _made() -> str:
    """An id that no other process makes: a random start, and a number."""
    return f"{_START}{next(_numbers):08x}"


def _given(scope: Scope) -> str | None:
    given: bytes = dict(scope["headers"]).get(HEADER, b"")
    return given.decode() if _ACCEPTABLE.fullmatch(given) else None
