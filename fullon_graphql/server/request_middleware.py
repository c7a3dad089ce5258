"""Gives every request and socket an id, header fields of its response, a line in the request log, a count, and a span.

All of it is one middleware, because the call of a further one takes as long as its work.
"""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullon_graphql.observability import request_ids
from fullon_graphql.observability.http_requests import HttpRequests
from fullon_graphql.observability.request_log import RequestLog
from fullon_graphql.observability.request_record import RequestRecord, begin_record
from fullon_graphql.observability.trace_context import TRACEPARENT, TRACERESPONSE, TRACESTATE
from fullon_graphql.observability.tracing import Tracer
from fullon_graphql.server.response_headers import HSTS, completed

_NO_STATE: Final[dict[str, Any]] = {}
FAILED: Final = 500
CLIENT_GONE: Final = 499
"""Statuses in the metrics of requests without a response: the application raised, or the client has disconnected."""


class RequestMiddleware:
    """ASGI middleware: takes the id over from a proxy or generates one, for logs, errors and the response.

    Each request and socket gets a line in `log` when it ends, and each request is counted in `requests`. With tracing,
    each request has a span; the trace of the caller continues.
    """

    def __init__(self, app: ASGIApp, log: RequestLog | None = None, requests: HttpRequests | None = None) -> None:
        self._app = app
        self._log = log
        self._requests = requests or HttpRequests()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan":
            return self._app(scope, receive, send)
        record = begin_record(scope)
        if scope.get("scheme") == "https":
            record.response_headers.append(HSTS)
        id_ = scope["request_id"] = request_ids.request_id(record.headers.get(request_ids.HEADER))
        record.response_headers.append((request_ids.HEADER, id_.encode()))
        # Never reset: the server runs every request in a task, hence in a context, of its own.
        request_ids.bound_request_id.set(id_)
        tracer = _tracer(scope)
        if tracer:
            _begin_span(tracer, scope, record)
        if scope["type"] == "websocket":
            return self._serve_socket(scope, record, receive, send)
        return self._answer(scope, record, tracer, receive, send)

    async def _answer(
        self, scope: Scope, record: RequestRecord, tracer: Tracer | None, receive: Receive, send: Send
    ) -> None:
        added = record.response_headers

        def send_completed(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = completed(message.get("headers", ()), added)
                record.status = message["status"]
                if tracer and record.is_stream:
                    _end_span(tracer, scope, record, record.status)
            return send(message)

        started = perf_counter()
        without_response = FAILED
        try:
            await self._app(scope, receive, send_completed)
            without_response = CLIENT_GONE
        finally:
            seconds = perf_counter() - started
            status = record.status or without_response
            self._requests.add(record.route, scope["method"], status, None if record.is_stream else seconds)
            if tracer:
                _end_span(tracer, scope, record, status)
            if self._log and self._log.is_on:
                self._log.add(scope, record, seconds)

    async def _serve_socket(self, scope: Scope, record: RequestRecord, receive: Receive, send: Send) -> None:
        started = perf_counter()
        try:
            await self._app(scope, receive, send)
        finally:
            if self._log and self._log.is_on:
                self._log.add(scope, record, perf_counter() - started)


def _tracer(scope: Scope) -> Tracer | None:
    """The tracer of the worker; None without tracing, and under a server that has no worker."""
    worker = scope.get("state", _NO_STATE).get("worker")
    tracer: Tracer | None = worker.tracer if worker else None
    return tracer


def _begin_span(tracer: Tracer, scope: Scope, record: RequestRecord) -> None:
    parent = record.headers.get(TRACEPARENT), record.headers.get(TRACESTATE)
    if scope["type"] == "websocket":
        tracer.begin_socket(*parent)
        return
    record.span = tracer.begin_request(*parent)
    if record.span:
        record.response_headers.append((TRACERESPONSE, record.span.traceparent))


def _end_span(tracer: Tracer, scope: Scope, record: RequestRecord, status: int) -> None:
    """End the span of a request, if it has one that has not ended."""
    span = record.span
    if span is None:
        return
    record.span, record.trace_id = None, span.trace_id  # the record is kept until its line is written
    span.http, span.request_id = (scope["method"], record.route, status), scope["request_id"]
    tracer.end(span)
