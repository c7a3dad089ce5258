"""Spans as bytes of OTLP (opentelemetry/proto/trace/v1/trace.proto), for exporting at a tenth of the SDK's cost.

A test compares the result with the SDK's encoder.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Final

from fullon_graphql.observability.tracing import (
    REQUEST_ID,
    ActiveSpan,
    Attributes,
    Step,
    is_failure,
    operation_attributes,
    request_attributes,
    request_name,
)

_KINDS: Final = {"internal": b"\x30\x01", "server": b"\x30\x02", "consumer": b"\x30\x05"}
"""Values of the field `kind`."""
_OK: Final = b"\x7a\x00"
_ERROR: Final = b"\x7a\x02\x18\x02"
"""Values of the field `status`."""
_LOCAL_PARENT: Final = b"\x85\x01\x00\x01\x00\x00"
_REMOTE_PARENT: Final = b"\x85\x01\x00\x03\x00\x00"
"""Values of the field `flags`."""
_times: Final = Struct("<BQBQ").pack
_IDS_AND_TIMES: Final = 20 + 8 + 10 + 18
"""Bytes that differ between the spans of a stage: the trace, its id, its parent, and its times."""
_LONGEST_SHORT: Final = 0x7F
"""The largest length that takes one byte."""


def span_bytes(span: ActiveSpan) -> bytes:
    """The spans of a request, event or operation and of its stages, as fields of `ScopeSpans`."""
    started, ns = span.started, span.started_ns
    span_id = span.span_id.to_bytes(8, "big")
    head = b"\x0a\x10%b\x12\x08" % span.trace_id.to_bytes(16, "big")
    times = _times(0x39, ns, 0x41, ns + int((span.ended - started) * 1e9))
    name, attributes, is_error = _description(span)
    own = [head, span_id, name, times, attributes]
    if span.parent_id:
        own.insert(2, b"\x22\x08" + span.parent_id.to_bytes(8, "big"))
    if span.request_id:
        own.append(_request_id(span.request_id))
    if span.links:
        own += map(_link, span.links)
    own += _ERROR if is_error else _OK, _REMOTE_PARENT if span.parent_id else _LOCAL_PARENT
    pieces = [field_bytes(0x12, b"".join(own))]
    parent = b"\x22\x08" + span_id
    for number, step in enumerate(span.steps):
        times = _times(0x39, ns + int((step.started - started) * 1e9), 0x41, ns + int((step.ended - started) * 1e9))
        before, after = _around_ids(step.stage, step.name, _numbers(step) if step.facts else ())
        pieces += before, head, step_id(span, number).to_bytes(8, "big"), parent, times, after
    return b"".join(pieces)


@lru_cache(maxsize=1_000)
def _around_ids(stage: str, name: str, numbers: tuple[tuple[str, int], ...]) -> tuple[bytes, bytes]:
    """The bytes before and after the ids and times of a stage's span."""
    attributes = [_uncached_attribute(f"fullon.{key}", value) for key, value in numbers]
    after = b"".join([_name_and_kind(step_name(stage, name), "internal"), *attributes, _OK, _LOCAL_PARENT])
    return b"\x12" + _varint(_IDS_AND_TIMES + len(after)), after


def _description(span: ActiveSpan) -> tuple[bytes, bytes, bool]:
    """The name and kind, the attributes, and whether it is an error."""
    if span.http and not span.attributes:
        operation = span.operation
        return _request(*span.http, *((operation.kind.value, operation.name) if operation else ("", None)))
    span.complete()
    return _name_and_kind(span.name, span.kind), _attributes(span.attributes), span.is_error


@lru_cache(maxsize=1_000)
def _request(method: str, route: str, status: int, kind: str, name: str | None) -> tuple[bytes, bytes, bool]:
    attributes = operation_attributes(kind, name) if kind else ()
    encoded = _attributes(attributes + request_attributes(method, route, status))
    return _name_and_kind(request_name(method, route), "server"), encoded, is_failure(status)


def moment(span: ActiveSpan, seconds: float) -> int:
    """Unix nanoseconds of a time of `perf_counter` during a span."""
    return span.started_ns + int((seconds - span.started) * 1e9)


def step_id(span: ActiveSpan, number: int) -> int:
    """The id of the span of a stage."""
    return (span.span_id + (number + 1) * 0x9E3779B97F4A7C15) % 2**64 or 1


def step_name(stage: str, name: str) -> str:
    """The name of the span of a stage."""
    return f"{stage} {name}" if name else stage


def step_attributes(step: Step) -> Attributes:
    """The numbers that are known about a stage. Its texts, such as SQL, are for `explain`."""
    return tuple([(f"fullon.{name}", value) for name, value in _numbers(step)])


def _numbers(step: Step) -> tuple[tuple[str, int], ...]:
    return tuple([fact for fact in step.facts.items() if isinstance(fact[1], int)])


def field_bytes(tag: int, content: bytes) -> bytes:
    """A field of bytes, text or a message."""
    return b"%c%b%b" % (tag, _varint(len(content)), content)


def _link(span: ActiveSpan) -> bytes:
    ids = b"\x0a\x10%b\x12\x08%b" % (span.trace_id.to_bytes(16, "big"), span.span_id.to_bytes(8, "big"))
    return field_bytes(0x6A, ids + b"\x35\x00\x01\x00\x00")


@lru_cache(maxsize=1_000)
def _name_and_kind(name: str, kind: str) -> bytes:
    return _text(0x2A, name) + _KINDS[kind]


@lru_cache(maxsize=1_000)
def _attributes(attributes: Attributes) -> bytes:
    return b"".join([_uncached_attribute(key, value) for key, value in attributes])


def _request_id(value: str) -> bytes:
    text = value.encode(errors="replace")
    return _request_id_head(len(text)) + text


@lru_cache(maxsize=200)
def _request_id_head(size: int) -> bytes:
    """The bytes before a request id of this size."""
    return _uncached_attribute(REQUEST_ID, "0" * size)[:-size]


def _uncached_attribute(key: str, value: str | int) -> bytes:
    encoded = b"\x18" + _varint(value) if isinstance(value, int) else _text(0x0A, value)
    return field_bytes(0x4A, _text(0x0A, key) + field_bytes(0x12, encoded))


def _text(tag: int, text: str) -> bytes:
    return field_bytes(tag, text.encode(errors="replace"))


@lru_cache(maxsize=1_000)
def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > _LONGEST_SHORT:
        encoded.append(value & _LONGEST_SHORT | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
