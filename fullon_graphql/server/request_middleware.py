"""Gives every request and socket an id, header fields of its response, and a line in the request log.

All of it is one middleware, because the call of a further one takes as long as its work.
"""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from fullon_graphql.observability import request_ids
from fullon_graphql.observability.request_log import RequestLog
from fullon_graphql.server.response_headers import completed, response_headers


class RequestMiddleware:
    """ASGI middleware: takes the id over from a proxy or generates one, for logs, errors and the response.

    Each request and socket gets a line in `log` when it ends.
    """

    def __init__(self, app: ASGIApp, log: RequestLog | None = None) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        id_ = scope["request_id"] = request_ids.request_id(dict(scope["headers"]).get(request_ids.HEADER))
        # Never unbound: the server runs every request in a task, hence in a context, of its own.
        bind_contextvars(request_id=id_)
        record = self._log.begin(scope) if self._log else None
        added = response_headers(scope)
        added.append((request_ids.HEADER, id_.encode()))

        def send_completed(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = completed(message.get("headers", ()), added)
                if record:
                    record.status = message["status"]
            return send(message)

        started = perf_counter()
        try:
            await self._app(scope, receive, send if scope["type"] == "websocket" else send_completed)
        finally:
            if self._log and record:
                self._log.add(scope, record, perf_counter() - started)
