"""Exports spans with OpenTelemetry's SDK, which the extra `tracing` installs.

Batches, retries, the receiver and the resource are the SDK's and follow its variables. Only the encoding of spans is
ours: the SDK's takes 27 µs for a span, a fifth of the processor time of a small request.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Final
from uuid import uuid4

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_BSP_MAX_QUEUE_SIZE
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from fullon_graphql.observability.otlp_encoding import (
    field_bytes,
    moment,
    span_bytes,
    step_attributes,
    step_id,
    step_name,
)
from fullon_graphql.observability.tracing import REQUEST_ID, ActiveSpan, Sampler, Tracer

DEFAULT_SERVICE: Final = "fullon-graphql"
"""Name of the service unless OTEL_SERVICE_NAME gives one."""
ENCODED_TOGETHER: Final = 64
"""Spans of a group: they are encoded together, and are one entry of the SDK's queue."""
DELAY: Final = 1.0
"""Seconds until a span is encoded at the latest."""
QUEUE: Final = 8_192
BATCH: Final = 2_048
"""Spans that may wait, and that are sent together, unless the SDK's variables say otherwise.

A batch of the SDK's default size is a tenth of a second of a busy worker, and a batch of any size takes a millisecond.
"""
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_KINDS: Final = {"server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER}


class _Queued(ReadableSpan):
    """An ended span on its way through the SDK's processor, which asks for nothing but its flags."""

    _context = SpanContext(1, 1, is_remote=False, trace_flags=_SAMPLED)


class _Ended(_Queued):
    """A span for an exporter of the SDK."""

    def __init__(self, span: ActiveSpan) -> None:
        span.complete()
        self.span = span


class _Encoded(_Queued):
    """A group of spans as bytes."""

    def __init__(self, spans: Sequence[ActiveSpan]) -> None:
        self.fields = b"".join(map(span_bytes, spans))


class _Encoder:
    """Encodes spans in the event loop, group by group.

    One by one, the encoding would take twice as long, as its code would not be in the processor's caches. In a thread,
    it would compete with the event loop for the interpreter.
    """

    def __init__(self, processor: BatchSpanProcessor) -> None:
        self._processor = processor
        self._spans: list[ActiveSpan] = []

    def add(self, span: ActiveSpan) -> None:
        """Encode a span with its group, or after `DELAY`."""
        self._spans.append(span)
        if len(self._spans) >= ENCODED_TOGETHER:
            self._encode()
        elif len(self._spans) == 1:
            asyncio.get_running_loop().call_later(DELAY, self._encode)

    def close(self) -> None:
        """Send all spans; the event loop adds no more."""
        self._encode()
        self._processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK has annotated it only in part

    def _encode(self) -> None:
        spans, self._spans = self._spans, []
        if spans:
            self._processor.on_end(_Encoded(spans))


class ReadableExporter(SpanExporter):
    """Passes spans to an exporter of the SDK, as it knows them."""

    def __init__(self, exporter: SpanExporter, resource: Resource) -> None:
        self._exporter = exporter
        self._resource = resource
        self._scope = scope()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Called by the processor."""
        return self._exporter.export([one for span in spans for one in readable(span, self._resource, self._scope)])

    def shutdown(self) -> None:
        """Called by the processor."""
        self._exporter.shutdown()


class FastOtlpExporter(OTLPSpanExporter):
    """The SDK's exporter with our encoding."""

    def __init__(self, resource: Resource) -> None:
        super().__init__()
        self._frame = Frame(resource)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Called by the processor, in its thread."""
        content = self._frame.enclose([span.fields for span in spans if isinstance(span, _Encoded)])
        is_sent = self._client.export(content).success  # the SDK's client, which retries; it has no public name
        return SpanExportResult.SUCCESS if is_sent else SpanExportResult.FAILURE


class Frame:
    """The resource and the scope around the spans of this process in an export."""

    def __init__(self, resource: Resource) -> None:
        empty = encode_spans([ReadableSpan("", _Queued._context, resource=resource, instrumentation_scope=scope())])
        [resource_spans] = empty.resource_spans
        [scope_spans] = resource_spans.scope_spans
        self._resource = resource_spans.resource.SerializeToString()
        self._scope = scope_spans.scope.SerializeToString()

    def enclose(self, spans: Sequence[bytes]) -> bytes:
        """An `ExportTraceServiceRequest` with encoded spans."""
        scope_spans = field_bytes(0x0A, self._scope) + b"".join(spans)
        return field_bytes(0x0A, field_bytes(0x0A, self._resource) + field_bytes(0x12, scope_spans))


def otlp_tracer() -> Tracer:
    """A tracer whose spans are sent to the receiver that the standard variables name."""
    queue, batch = _groups(OTEL_BSP_MAX_QUEUE_SIZE, QUEUE), _groups(OTEL_BSP_MAX_EXPORT_BATCH_SIZE, BATCH)
    exporter = FastOtlpExporter(make_resource())
    encoder = _Encoder(BatchSpanProcessor(exporter, max_queue_size=queue, max_export_batch_size=min(batch, queue)))
    return Tracer(encoder.add, Sampler.from_environment(), encoder.close)


def _groups(variable: str, default: int) -> int:
    """The number of spans that a variable of the SDK gives, in groups."""
    given = os.environ.get(variable, "")
    return max(1, (int(given) if given.isdecimal() else default) // ENCODED_TOGETHER)


def readable_tracer(exporter: SpanExporter) -> Tracer:
    """A tracer whose spans an exporter of the SDK receives."""
    processor = BatchSpanProcessor(ReadableExporter(exporter, make_resource()))
    return Tracer(lambda span: processor.on_end(_Ended(span)), Sampler.from_environment(), processor.shutdown)


def make_resource() -> Resource:
    """This process, by OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES."""
    own = {"service.version": version("fullon-graphql"), "service.instance.id": str(uuid4())}
    given = Resource.create()
    if "OTEL_SERVICE_NAME" not in os.environ and "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        own[SERVICE_NAME] = DEFAULT_SERVICE
    return given.merge(Resource(own))


def scope() -> InstrumentationScope:
    """The instrumentation."""
    return InstrumentationScope("fullon_graphql", version("fullon-graphql"))


def readable(ended: ReadableSpan, resource: Resource, scope_: InstrumentationScope) -> Iterator[ReadableSpan]:
    """A span of ours and those of its stages as the SDK's exporters read them."""
    assert isinstance(ended, _Ended), "no others are emitted"
    span = ended.span
    context = SpanContext(span.trace_id, span.span_id, is_remote=False, trace_flags=_SAMPLED)
    parent = SpanContext(span.trace_id, span.parent_id, is_remote=True) if span.parent_id else None
    yield ReadableSpan(
        span.name,
        context,
        parent,
        resource,
        dict(span.attributes) | ({REQUEST_ID: span.request_id} if span.request_id else {}),
        links=[Link(SpanContext(one.trace_id, one.span_id, is_remote=False)) for one in span.links],
        kind=_KINDS[span.kind],
        status=Status(StatusCode.ERROR if span.is_error else StatusCode.UNSET),
        start_time=span.started_ns,
        end_time=moment(span, span.ended),
        instrumentation_scope=scope_,
    )
    for number, step in enumerate(span.steps):
        yield ReadableSpan(
            step_name(step.stage, step.name),
            SpanContext(span.trace_id, step_id(span, number), is_remote=False, trace_flags=_SAMPLED),
            context,
            resource,
            dict(step_attributes(step)),
            start_time=moment(span, step.started),
            end_time=moment(span, step.ended),
            instrumentation_scope=scope_,
        )


def ended(span: ActiveSpan) -> ReadableSpan:
    """A span in the form in which exporters of this module take it."""
    return _Ended(span)
