"""The framing of a stream in an HTTP response: server-sent events, or the parts of a multipart body.

Server-sent events follow graphql-sse's PROTOCOL.md, "distinct connections mode"; parts follow Apollo's multipart
protocol for subscriptions, version 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

import orjson

EVENT_STREAM: Final = "text/event-stream"
JSON_TYPES: Final = ("application/json", "application/graphql-response+json")


class Framing(Protocol):
    """The bytes of a response: `opening`, then any of `event` and `heartbeat`, then `ending` or `interruption`."""

    name: ClassVar[str]
    """Its name in metrics."""
    media_type: ClassVar[bytes]
    opening: ClassVar[bytes]
    heartbeat: ClassVar[bytes]
    """Shows proxies that the connection is alive; clients ignore it."""

    def event(self, body: bytes, cursor: str | None = None) -> bytes:
        """One response as JSON, and the cursor to resume after it."""
        ...

    def ending(self, errors: Sequence[Any] = ()) -> bytes:
        """The end of the operation, with its errors in GraphQL's format, if there are any."""
        ...

    def interruption(self, error: Mapping[str, Any], retry_after: int) -> bytes:
        """The end of the connection but not of the operation: clients reconnect after `retry_after` seconds."""
        ...


class ServerSentEvents:
    """Server-sent events. Lines end with a bare LF, because some gateways accept nothing else."""

    name: ClassVar[str] = "sse"
    media_type: ClassVar[bytes] = b"text/event-stream; charset=utf-8"
    opening: ClassVar[bytes] = b":\n\n"
    heartbeat: ClassVar[bytes] = b":\n\n"

    def event(self, body: bytes, cursor: str | None = None) -> bytes:
        # JSON has line breaks only between values, where a space is equivalent.
        line = body.replace(b"\r", b" ").replace(b"\n", b" ")
        id_ = b"" if cursor is None else b"id: %b\n" % cursor.encode()
        return b"%bevent: next\ndata: %b\n\n" % (id_, line)

    def ending(self, errors: Sequence[Any] = ()) -> bytes:
        return _errors_event(self, errors) + b"event: complete\ndata: \n\n"

    def interruption(self, error: Mapping[str, Any], retry_after: int) -> bytes:
        # Clients reconnect to a stream without `complete`; an event with errors would be shown to users.
        return f"retry: {retry_after * 1000}\n: {error['message']}\n\n".encode()


class MultipartParts:
    """Parts of a multipart body, each sent with the boundary after it, because clients parse a part only then."""

    name: ClassVar[str] = "multipart"
    media_type: ClassVar[bytes] = b'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
    opening: ClassVar[bytes] = b"--graphql"
    heartbeat: ClassVar[bytes] = b"\r\nContent-Type: application/json\r\n\r\n{}\r\n--graphql"

    def event(self, body: bytes, cursor: str | None = None) -> bytes:
        return self._part(b'{"payload":%b}' % body)

    def ending(self, errors: Sequence[Any] = ()) -> bytes:
        return _errors_event(self, errors) + b"--\r\n"

    def interruption(self, error: Mapping[str, Any], retry_after: int) -> bytes:
        return self._part(orjson.dumps({"payload": None, "errors": [error]})) + b"--\r\n"

    @staticmethod
    def _part(body: bytes) -> bytes:
        return b"\r\nContent-Type: application/json\r\n\r\n%b\r\n--graphql" % body


EVENTS, PARTS = ServerSentEvents(), MultipartParts()


def _errors_event(framing: Framing, errors: Sequence[Any]) -> bytes:
    return framing.event(orjson.dumps({"errors": errors})) if errors else b""


def framing_for(accept: str) -> Framing | None:
    """The framing for this `Accept` header; None if it accepts no stream."""
    accept = accept.lower()
    if EVENT_STREAM in accept:
        return EVENTS
    return PARTS if "multipart/mixed" in accept and "subscriptionspec" in accept else None


def accepts_only_events(accept: str) -> bool:
    """True if even a single response must be sent as an event, because no JSON type is accepted by name."""
    accept = accept.lower()
    return EVENT_STREAM in accept and not any(known in accept for known in JSON_TYPES)
