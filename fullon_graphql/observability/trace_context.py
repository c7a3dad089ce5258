"""W3C Trace Context: the position in a distributed trace that a request carries in `traceparent`."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

TRACEPARENT: Final = b"traceparent"
TRACESTATE: Final = b"tracestate"
TRACERESPONSE: Final = b"traceresponse"
"""The field of the response, in the same form."""
LONGEST_STATE: Final = 512
"""Bytes of `tracestate` that are passed on; a longer one is dropped, as the specification allows."""

_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED: Final = 1


class TraceParent(NamedTuple):
    """The span of the caller."""

    trace_id: int
    span_id: int
    is_sampled: bool


def parse_traceparent(header: bytes | None) -> TraceParent | None:
    """The caller's span; None without a valid header."""
    found = _TRACEPARENT.fullmatch(header) if header else None
    if found is None:
        return None
    parent = TraceParent(int(found[1], 16), int(found[2], 16), bool(int(found[3], 16) & _SAMPLED))
    return parent if parent.trace_id and parent.span_id else None


def format_traceparent(trace_id: int, span_id: int, *, is_sampled: bool) -> bytes:
    """The header for a span of ours."""
    return b"00-%032x-%016x-%02x" % (trace_id, span_id, is_sampled)
