"""The request log: one line at INFO per request or socket, when it ends.

A line costs the request a few microseconds: it is kept as a record, and lines are formatted and written in batches. In
JSON they go past structlog, whose processors would cost more than many a request; all their texts are cut and redacted.
"""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson
import structlog
from starlette.types import Scope

from fullon_graphql.observability.logging import json_stream
from fullon_graphql.observability.redaction import redact

LOGGER: Final = "fullon_graphql.requests"
EVENT: Final = "request"
BATCH: Final = 500
"""Lines that are written at once at the latest."""
DELAY: Final = 0.1
"""Seconds after which a line is written at the latest."""

CLIENT_NAME: Final = b"apollographql-client-name"
_KEY: Final = "fullon_graphql.request_record"
_NAME: Final = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,79}")
_NAMED_OPERATION: Final = re.compile(r"\s*(?:query|mutation|subscription)\s+([_A-Za-z][_0-9A-Za-z]{0,79})")
_log = structlog.get_logger(LOGGER)


class RequestRecord:
    """The facts of one request, as far as the parts of the server have found them."""

    __slots__ = ("client", "operation", "status", "uid")

    def __init__(self, client: str | None) -> None:
        self.client = client
        self.operation: str | None = None
        self.uid: int | None = None
        self.status: int | None = None


def record_of(scope: Scope) -> RequestRecord | None:
    """The record of the request; None if requests are not logged."""
    record: RequestRecord | None = scope.get(_KEY)
    return record


def operation_name(given: str | None, document: str) -> str | None:
    """The name of a GraphQL operation for the log: as given, else of the first operation if the document begins so."""
    if given is not None:
        return given if _NAME.fullmatch(given) else None
    named = _NAMED_OPERATION.match(document)
    return named[1] if named else None


class RequestLog:
    """Collects records, and writes them in batches."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(LOGGER)
        self._lines: list[tuple[datetime, Scope, RequestRecord, float]] = []

    def begin(self, scope: Scope) -> RequestRecord | None:
        """The record of a request that begins; None if the level of the log leaves requests out."""
        if not self._logger.isEnabledFor(logging.INFO):
            return None
        client = dict(scope["headers"]).get(CLIENT_NAME)
        record = scope[_KEY] = RequestRecord(client.decode("latin-1") if client else None)
        return record

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
    return {
        "method": scope.get("method", "WEBSOCKET"),
        "path": _clean(scope["path"]),
        "operation": record.operation,
        "status": record.status,
        "duration_ms": round(seconds * 1000, 2),
        "uid": record.uid,
        "request_id": scope["request_id"],
        "client": record.client and _clean(record.client),
    }


@lru_cache(maxsize=1_000)
def _clean(text: str) -> str:
    """A text of a client as it is logged."""
    printable = "".join(filter(str.isprintable, text[:200]))
    return redact(printable.encode(errors="replace").decode())
