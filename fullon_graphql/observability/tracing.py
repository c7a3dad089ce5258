"""Traces: one span per REST request and per operation of the graph, with a span for each stage inside it.

`span_export.py` sends them in a thread of its own with OpenTelemetry's SDK (the extra `tracing`), if the standard
variables name a receiver; otherwise there is no `Tracer`. Spans have no variables, no values of rows and no
credentials.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from random import getrandbits
from time import perf_counter, time_ns
from typing import Any, Final, Protocol, TypeAlias

import structlog

from fullon_graphql.observability.trace_context import TraceParent, format_traceparent, parse_traceparent

log = structlog.get_logger(__name__)

_FAILED: Final = 500
_LONGEST_NAME: Final = 80
MOST_LINKS: Final = 32
"""Subscriptions that the span of an event links to."""

REQUEST_ID: Final = "fullon.request_id"
"""Name of the attribute."""

Attributes: TypeAlias = tuple[tuple[str, str | int], ...]
"""Names and values. Few different ones, because their encoding is remembered."""


class Step(Protocol):
    """A stage of an operation; times are seconds of `perf_counter`."""

    @property
    def stage(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def started(self) -> float: ...
    @property
    def ended(self) -> float: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...


class Operation(Protocol):
    """An operation of the graph. `kind` is an enum of `query`, `mutation` and `subscription`."""

    @property
    def kind(self) -> Enum: ...
    @property
    def name(self) -> str | None: ...


class ActiveSpan:
    """A span that has begun. What follows from other fields is added by `complete`, when many spans are encoded."""

    kind = "server"
    """Or `consumer` for events."""
    name = ""
    attributes: Attributes = ()
    state = b""
    """The caller's `tracestate`."""
    request_id = ""
    """An attribute too, of which every value is different."""
    http: tuple[str, str, int] | None = None
    """Method, route and status of an HTTP request."""
    operation: Operation | None = None
    """That of the request."""
    steps: Sequence[Step] = ()
    links: Sequence[ActiveSpan] = ()
    is_error = False
    ended = 0.0

    def __init__(self, trace_id: int, parent_id: int, *, is_sampled: bool) -> None:
        self.trace_id = trace_id
        self.span_id = getrandbits(64) or 1
        self.parent_id = parent_id
        """0 for the first span of a trace."""
        self.is_sampled = is_sampled
        """False if it is not exported; its ids are passed on nevertheless."""
        self.started = perf_counter()
        self.started_ns = time_ns()

    def complete(self) -> None:
        """Add the name and the attributes of an HTTP request and of its operation."""
        if self.operation:
            self.attributes += operation_attributes(self.operation.kind.value, self.operation.name)
        if self.http:
            method, route, status = self.http
            self.name, self.is_error = request_name(method, route), is_failure(status)
            self.attributes += request_attributes(method, route, status)

    @property
    def traceparent(self) -> bytes:
        """The header that makes another server's span a child of this one."""
        return format_traceparent(self.trace_id, self.span_id, is_sampled=self.is_sampled)


def operation_attributes(kind: str, name: str | None) -> Attributes:
    """The attributes of an operation of the graph."""
    named = (("graphql.operation.name", name[:_LONGEST_NAME]),) if name else ()
    return (("graphql.operation.type", kind), *named)


def request_name(method: str, route: str) -> str:
    """The name of the span of an HTTP request."""
    return f"{method} {route}"


def request_attributes(method: str, route: str, status: int) -> Attributes:
    """The attributes of an HTTP request."""
    return ("http.request.method", method), ("http.route", route), ("http.response.status_code", status)


def is_failure(status: int) -> bool:
    """True if the server has failed to answer a request."""
    return status >= _FAILED


_current: ContextVar[ActiveSpan | None] = ContextVar("current_span", default=None)
_remote: ContextVar[tuple[TraceParent, bytes] | None] = ContextVar("remote_parent", default=None)


_UNTRACED: Final = ActiveSpan(0, 0, is_sampled=False)
"""The current span of a request whose trace begins here and is not exported."""


def current_span() -> ActiveSpan | None:
    """The span of the request or operation that is executed; None if it has none."""
    span = _current.get()
    return None if span is _UNTRACED else span


def has_request_span() -> bool:
    """True if the current task serves a request whose span, or the absence of one, is decided."""
    return _current.get() is not None


def outgoing_headers() -> Mapping[str, str]:
    """The header fields of a request to another server; empty without tracing."""
    span = current_span()
    if span is None:
        return {}
    state = {"tracestate": span.state.decode("latin-1")} if span.state else {}
    return {"traceparent": span.traceparent.decode(), **state}


class Sampler:
    """Decides which traces are exported, by OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG."""

    def __init__(self, name: str = "parentbased_always_on", argument: str = "") -> None:
        root = name.removeprefix("parentbased_")
        ratios = {"always_on": 1.0, "always_off": 0.0, "traceidratio": _ratio(argument)}
        if root not in ratios:
            log.warning("tracing.unknown_sampler", sampler=name[:80], used="parentbased_always_on")
        self._follows_parent = name.startswith("parentbased_") or root not in ratios
        self._bound = round(ratios.get(root, 1.0) * 2**64)

    @classmethod
    def from_environment(cls) -> Sampler:
        """The sampler of the standard variables."""
        name = os.environ.get("OTEL_TRACES_SAMPLER", "").strip().lower()
        return cls(name or "parentbased_always_on", os.environ.get("OTEL_TRACES_SAMPLER_ARG", ""))

    def is_sampled(self, trace_id: int, parent: TraceParent | None) -> bool:
        """True if the span of a trace is exported."""
        if parent is not None and self._follows_parent:
            return parent.is_sampled
        return trace_id & (2**64 - 1) < self._bound  # as the SDK's TraceIdRatioBased


def _ratio(argument: str) -> float:
    try:
        return min(1.0, max(0.0, float(argument)))
    except ValueError:
        return 1.0


class Tracer:
    """Begins and ends spans. `emit` takes those that are exported; `close` sends the last ones."""

    def __init__(self, emit: Callable[[ActiveSpan], None], sampler: Sampler, close: Callable[[], None]) -> None:
        self._emit = emit
        self._sampler = sampler
        self.close = close

    def begin_request(self, traceparent: bytes | None, tracestate: bytes | None) -> ActiveSpan | None:
        """The span of an HTTP request, in which the rest of the task runs.

        None, at next to no cost, if its trace begins here and is not exported.
        """
        parent = parse_traceparent(traceparent) if traceparent else None
        if parent:
            span = self._begin(parent, tracestate)
        else:
            trace_id = getrandbits(128) or 1
            if not self._sampler.is_sampled(trace_id, None):
                _current.set(_UNTRACED)
                return None
            span = ActiveSpan(trace_id, 0, is_sampled=True)
        _current.set(span)
        return span

    def begin_socket(self, traceparent: bytes | None, tracestate: bytes | None) -> None:
        """Make the caller's span the parent of the operations of a socket. A socket has no span of its own."""
        if parent := parse_traceparent(traceparent):
            _remote.set((parent, tracestate or b""))

    @contextmanager
    def operation(self, name: str, steps: Sequence[Step]) -> Iterator[None]:
        """A span for an operation that has no HTTP request of its own, in which the block runs."""
        span = self._begin_operation(name)
        span.steps = steps
        token = _current.set(span)
        try:
            yield
        except BaseException:
            span.is_error = True
            raise
        finally:
            _current.reset(token)
            self.end(span)

    def begin_subscription(self, name: str) -> ActiveSpan | None:
        """The span of a subscription that is opened in the current task; None if the span of its request is used.

        It stays the current span of the task, so that events can be linked to it.
        """
        if has_request_span():
            return None
        span = self._begin_operation(name)
        _current.set(span)
        return span

    @contextmanager
    def event(self, name: str, subscriptions: Sequence[ActiveSpan], count: int) -> Iterator[None]:
        """A trace of its own for the execution of `count` events, linked to their subscriptions."""
        span = self._begin(None, None)
        span.name, span.kind, span.links = name, "consumer", subscriptions
        span.attributes = (("messaging.batch.message_count", count),)
        try:
            yield
        except BaseException:
            span.is_error = True
            raise
        finally:
            self.end(span)

    def end(self, span: ActiveSpan) -> None:
        """End a span."""
        if not span.ended:
            span.ended = perf_counter()
            if span.is_sampled:
                self._emit(span)

    def _begin_operation(self, name: str) -> ActiveSpan:
        remote = _remote.get()
        span = self._begin(*remote) if remote else self._begin(None, None)
        span.name = name
        return span

    def _begin(self, parent: TraceParent | None, state: bytes | None) -> ActiveSpan:
        if parent is None:
            trace_id = getrandbits(128) or 1
            return ActiveSpan(trace_id, 0, is_sampled=self._sampler.is_sampled(trace_id, None))
        trace_id = parent.trace_id
        span = ActiveSpan(trace_id, parent.span_id, is_sampled=self._sampler.is_sampled(trace_id, parent))
        if state:
            span.state = state
        return span


def open_tracer() -> Tracer | None:
    """The tracer that the standard variables ask for; None if they do not, or without the extra `tracing`."""
    if not _is_configured(os.environ):
        return None
    try:
        from fullon_graphql.observability import span_export
    except ImportError:
        log.warning("tracing.not_installed", install="fullon-graphql[tracing]")
        return None
    return span_export.otlp_tracer()


def _is_configured(variables: Mapping[str, str]) -> bool:
    exporter = variables.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter not in {"", "otlp"}:
        return False
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return exporter == "otlp" or any(variables.get(name) for name in endpoints)
