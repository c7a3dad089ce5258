"""The request log: one line at INFO per request or socket, when it ends.

A line costs the request a few microseconds: it is kept as a record, and lines are formatted and written in batches. In
JSON they go past structlog, whose processors would cost more than many a request; all their texts are cut and redacted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson
import structlog
from starlette.types import Scope

from fullon_graphql.observability.logging import json_stream
from fullon_graphql.observability.redaction import redact
from fullon_graphql.observability.request_record import RequestRecord
from fullon_graphql.observability.trace_context import TRACEPARENT, parse_traceparent

LOGGER: Final = "fullon_graphql.requests"
EVENT: Final = "request"
BATCH: Final = 500
"""Lines that are written at once at the latest."""
DELAY: Final = 0.1
"""Seconds after which a line is written at the latest."""

CLIENT_NAME: Final = b"apollographql-client-name"
CLIENT_VERSION: Final = b"apollographql-client-version"
LOGGED_FIELDS: Final = frozenset((CLIENT_NAME, CLIENT_VERSION, TRACEPARENT))
"""The header fields of a request that its line needs."""
_log = structlog.get_logger(LOGGER)


class RequestLog:
    """Collects records, and writes them in batches."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(LOGGER)
        self._lines: list[tuple[datetime, Scope, RequestRecord, float]] = []

    @property
    def is_on(self) -> bool:
        """False if the level of the log leaves requests out."""
        return self._logger.isEnabledFor(logging.INFO)

    def add(self, scope: Scope, record: RequestRecord, seconds: float) -> None:
        """Log one request that has ended."""
        if not self._lines:
            asyncio.get_running_loop().call_later(DELAY, self.flush)
        self._lines.append((datetime.now(UTC), scope, record, seconds))
        if len(self._lines) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write all lines."""
        lines, self._lines = self._lines, []
        events = [_fields(scope, record, seconds) for _, scope, record, seconds in lines]
        stream = json_stream()
        if stream is None:
            for event in events:
                _log.info(EVENT, **event)
            return
        for (time, *_), event in zip(lines, events, strict=True):
            event |= {"event": EVENT, "level": "info", "logger": LOGGER, "timestamp": time.isoformat()[:-6] + "Z"}
        stream.write("".join(orjson.dumps(event).decode() + "\n" for event in events))
        stream.flush()


def _fields(scope: Scope, record: RequestRecord, seconds: float) -> dict[str, Any]:
    headers = record.headers
    return {
        "method": scope.get("method", "WEBSOCKET"),
        "path": _clean(scope["path"]),
        "operation": record.operation,
        "status": record.status,
        "duration_ms": round(seconds * 1000, 2),
        "uid": record.uid,
        "request_id": scope["request_id"],
        "trace_id": _trace_id(record, headers),
        "client": _named(record.client, headers.get(CLIENT_NAME)),
        "client_version": _named(record.client_version, headers.get(CLIENT_VERSION)),
    }


def _trace_id(record: RequestRecord, headers: Mapping[bytes, bytes]) -> str | None:
    """The trace of the request: its own, or without tracing the caller's."""
    trace_id = record.trace_id
    if trace_id is None and (parent := parse_traceparent(headers.get(TRACEPARENT))):
        trace_id = parent.trace_id
    return None if trace_id is None else f"{trace_id:032x}"


def _named(by_message: str | None, by_header: bytes | None) -> str | None:
    if by_message is not None:
        return _clean(by_message)
    return _clean(by_header.decode("latin-1")) if by_header else None


@lru_cache(maxsize=1_000)
def _clean(text: str) -> str:
    """A text of a client as it is logged."""
    printable = "".join(filter(str.isprintable, text[:200]))
    return redact(printable.encode(errors="replace").decode())
