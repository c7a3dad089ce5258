"""How a stream is worded in an HTTP response: as server-sent events, or in the parts of a multipart body.

Server-sent events are those of graphql-sse's PROTOCOL.md, "distinct connections mode"; the parts those of Apollo's
multipart protocol for subscriptions, version 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

import orjson

EVENT_STREAM: Final = "text/event-stream"
JSON_TYPES: Final = ("application/json", "application/graphql-response+json")


class Framing(Protocol):
    """The bytes of a response, in this order: `opening`, any of `event` and `heartbeat`, `ending` or `interruption`."""

    media_type: ClassVar[bytes]
    opening: ClassVar[bytes]
    heartbeat: ClassVar[bytes]
    """Tells whoever is between that the connection is alive, and the client nothing."""

    def event(self, body: bytes, cursor: str | None = None) -> bytes:
        """One response as JSON, and where to go on after it."""
        ...

    def ending(self, errors: Sequence[Any] = ()) -> bytes:
        """The end of the operation, and why it is not in order, as errors of GraphQL."""
        ...

    def interruption(self, error: Mapping[str, Any]) -> bytes:
        """The end of the connection alone, for which nobody can help it: clients come back by themselves."""
        ...


class ServerSentEvents:
    """Server-sent events. Lines end with a bare LF: some gateways read no others."""

    media_type: ClassVar[bytes] = b"text/event-stream; charset=utf-8"
    opening: ClassVar[bytes] = b":\n\n"
    heartbeat: ClassVar[bytes] = b":\n\n"

    def event(self, body: bytes, cursor: str | None = None) -> bytes:
        # Between the values of JSON, where alone there can be a line break, a blank says the same.
        line = body.replace(b"\r", b" ").replace(b"\n", b" ")
        id_ = b"" if cursor is None else b"id: %b\n" % cursor.encode()
        return b"%bevent: next\ndata: %b\n\n" % (id_, line)

    def ending(self, errors: Sequence[Any] = ()) -> bytes:
        return _told(self, errors) + b"event: complete\ndata: \n\n"

    def interruption(self, error: Mapping[str, Any]) -> bytes:
        # Clients come back to a stream that is not complete; an event with errors would be shown to people.
        return f": {error['message']}\n\n".encode()


class MultipartParts:
    """Parts of a multipart body. Each is sent with the boundary after it, which is when clients look at it."""

    media_type: ClassVar[bytes] = b'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
    opening: ClassVar[bytes] = b"--graphql"
    heartbeat: ClassVar[bytes] = b"\r\nContent-Type: application/json\r\n\r\n{}\r\n--graphql"

    def event(self, body: bytes, cursor: str | None = None) -> bytes:
        return self._part(b'{"payload":%b}' % body)

    def ending(self, errors: Sequence[Any] = ()) -> bytes:
        return _told(self, errors) + b"--\r\n"

    def interruption(self, error: Mapping[str, Any]) -> bytes:
        return self._part(orjson.dumps({"payload": None, "errors": [error]})) + b"--\r\n"

    @staticmethod
    def _part(body: bytes) -> bytes:
        return b"\r\nContent-Type: application/json\r\n\r\n%b\r\n--graphql" % body


EVENTS, PARTS = ServerSentEvents(), MultipartParts()


def _told(wording: Framing, errors: Sequence[Any]) -> bytes:
    return wording.event(orjson.dumps({"errors": errors})) if errors else b""


def for_streams(accept: str) -> Framing | None:
    """How somebody who accepts this can take a stream; None where they cannot."""
    accept = accept.lower()
    if EVENT_STREAM in accept:
        return EVENTS
    return PARTS if "multipart/mixed" in accept and "subscriptionspec" in accept else None


def takes_only_events(accept: str) -> bool:
    """Whether even what has one answer must come as an event, because JSON is not accepted by name."""
    accept = accept.lower()
    return EVENT_STREAM in accept and not any(known in accept for known in JSON_TYPES)
