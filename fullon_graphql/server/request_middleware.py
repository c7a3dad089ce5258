"""Gives every request and socket an id, header fields of its response, a line in the request log, and a count.

All of it is one middleware, because the call of a further one takes as long as its work.
"""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from fullon_graphql.observability import request_ids
from fullon_graphql.observability.http_requests import HttpRequests
from fullon_graphql.observability.request_log import RequestLog
from fullon_graphql.observability.request_record import RequestRecord, begin_record
from fullon_graphql.server.response_headers import completed, response_headers

FAILED: Final = 500
CLIENT_GONE: Final = 499
"""Statuses in the metrics of requests without a response: the application raised, or the client has disconnected."""


class RequestMiddleware:
    """ASGI middleware: takes the id over from a proxy or generates one, for logs, errors and the response.

    Each request and socket gets a line in `log` when it ends, and each request is counted in `requests`.
    """

    def __init__(self, app: ASGIApp, log: RequestLog | None = None, requests: HttpRequests | None = None) -> None:
        self._app = app
        self._log = log
        self._requests = requests or HttpRequests()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        id_ = scope["request_id"] = request_ids.request_id(dict(scope["headers"]).get(request_ids.HEADER))
        # Never unbound: the server runs every request in a task, hence in a context, of its own.
        bind_contextvars(request_id=id_)
        record = begin_record(scope)
        added = response_headers(scope)
        added.append((request_ids.HEADER, id_.encode()))

        def send_completed(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = completed(message.get("headers", ()), added)
                record.status = message["status"]
            return send(message)

        started = perf_counter()
        without_response = FAILED
        try:
            await self._app(scope, receive, send if scope["type"] == "websocket" else send_completed)
            without_response = CLIENT_GONE
        finally:
            self._end(scope, record, perf_counter() - started, without_response)

    def _end(self, scope: Scope, record: RequestRecord, seconds: float, without_response: int) -> None:
        if scope["type"] == "http":
            status = record.status or without_response
            self._requests.add(record.route, scope["method"], status, None if record.is_stream else seconds)
        if self._log and self._log.is_on:
            self._log.add(scope, record, seconds)
