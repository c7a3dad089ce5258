"""The record of one request: what the parts of the server have found out about it, for metrics and logs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from starlette.types import Scope

from fullon_graphql.observability.http_requests import OTHER
from fullon_graphql.observability.tracing import ActiveSpan

_KEY: Final = "fullon_graphql.request_record"
_NAME: Final = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,79}")
_NAMED_OPERATION: Final = re.compile(r"\s*(?:query|mutation|subscription)\s+([_A-Za-z][_0-9A-Za-z]{0,79})")


class RequestRecord:
    """The facts of one request."""

    __slots__ = (
        "client",
        "client_version",
        "headers",
        "is_stream",
        "operation",
        "response_headers",
        "route",
        "span",
        "status",
        "trace_id",
        "uid",
    )

    def __init__(self, headers: Mapping[bytes, bytes]) -> None:
        self.headers = headers
        """The header fields of the request by their names in lower case; of a repeated field the last one."""
        self.response_headers: list[tuple[bytes, bytes]] = []
        """The fields that are added to its response."""
        self.route = OTHER
        """The template of the route, a constant of ours."""
        self.is_stream = False
        """True if the response lasts as long as the client wants."""
        self.client: str | None = None
        self.client_version: str | None = None
        """As the client names itself in a message; None if only in its headers."""
        self.operation: str | None = None
        self.uid: int | None = None
        self.status: int | None = None
        self.span: ActiveSpan | None = None
        """None without tracing, for a socket, and once it has ended."""
        self.trace_id: int | None = None
        """Of a span that has ended."""


def begin_record(scope: Scope) -> RequestRecord:
    """The record of a request that begins. It is part of the scope."""
    record = scope[_KEY] = RequestRecord(dict(scope["headers"]))
    return record


def record_of(scope: Scope) -> RequestRecord | None:
    """The record of the request; None under a middleware that is not ours."""
    record: RequestRecord | None = scope.get(_KEY)
    return record


def headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """The header fields of the request by name, which are collected once per request."""
    record = record_of(scope)
    return dict(scope["headers"]) if record is None else record.headers


def forget_headers(scope: Scope, kept: Collection[bytes]) -> None:
    """Drop the header fields of a socket that lasts, but those with the given names. They can take several kB."""
    scope["headers"] = []
    if record := record_of(scope):
        record.headers = {name: value for name, value in record.headers.items() if name in kept}


def operation_name(given: str | None, document: str) -> str | None:
    """The name of a GraphQL operation for the log: as given, else of the first operation if the document begins so."""
    if given is not None:
        return given if _NAME.fullmatch(given) else None
    named = _NAMED_OPERATION.match(document)
    return named[1] if named else None
