"""One HTTP request and its response: uvicorn's, with a short way for an ordinary response.

An ordinary response has a length, ordinary field names, and its body in one message; its head is checked as a whole,
and sent together with the body. uvicorn sends every other response: chunked, streamed, to HEAD, or the last one of its
connection.
"""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent, HTTPResponseStartEvent

_NAME: Final = re.compile(rb"[a-z0-9-]+")
"""The name of a field as we send it."""
_NOT_ORDINARY: Final = frozenset({b"connection", b"transfer-encoding"})
"""Fields that change how a response is sent."""
_LARGE: Final = 16_384
"""The bytes of a body from which joining it with its head takes longer than writing them as two."""
_LENGTH: Final = b"content-length"
_ALLOWED: Final = bytes({9, *range(32, 127), *range(128, 256)})
"""The bytes that the value of a field may have."""


class _Template(NamedTuple):
    """The head of a response with a certain status and fields."""

    head: bytes
    """With a place for the value of each field."""
    length: int
    """The index of the field with the length of the body."""
    line_breaks: bytes
    """The bytes of the head that are not `_ALLOWED`, if all values are valid."""


class ResponseCycle(RequestResponseCycle):
    """One request and its response.

    The head of an ordinary response is held back until its body comes, as ASGI demands. If the application fails before
    that, the connection is closed without it.
    """

    disconnected = False
    waiting_for_100_continue = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding: bool | None = None
    expected_content_length = 0
    _head: bytes | None = None
    """The head that is held back."""

    def __init__(self, protocol: HttpToolsProtocol, *, keep_alive: bool) -> None:
        # All that uvicorn's constructor sets, which takes three times as long.
        self.scope = protocol.scope
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.logger = protocol.logger
        self.access_logger = protocol.access_logger
        self.access_log = protocol.access_log
        self.default_headers = protocol.server_state.default_headers
        self.on_response = protocol.on_response_complete
        self.message_event = asyncio.Event()
        self.keep_alive = keep_alive
        self.body = bytearray()
        if protocol.expect_100_continue:
            self.waiting_for_100_continue = True

    async def send(self, message: ASGISendEvent) -> None:
        """Send a part of the response.

        Raises:
            RuntimeError: a field is invalid, or the body has another length than its field says.
        """
        if self._head is not None:
            if self._finish(self._head, message):
                return
        elif not self.response_started and message["type"] == "http.response.start" and self._begin(message):
            return
        await super().send(message)

    def _begin(self, message: HTTPResponseStartEvent) -> bool:
        """Hold the head back. False, and nothing has happened, if the response is not ordinary."""
        if not self.keep_alive or self.access_log or self.disconnected or self.flow.write_paused:
            return False
        fields = [*self.default_headers, *message.get("headers", ())]
        if not fields:
            return False
        names, values = zip(*fields, strict=True)
        template = _template(message["status"], names)
        if template is None or self.scope["method"] == "HEAD":
            return False
        head, length = template.head % values, values[template.length]
        if not length.isdigit() or head.translate(None, _ALLOWED) != template.line_breaks:
            return False
        self.expected_content_length = int(length)
        self.chunked_encoding = False
        self.response_started = True
        self.waiting_for_100_continue = False
        self._head = head
        return True

    def _finish(self, head: bytes, message: ASGISendEvent) -> bool:
        """Send the head and its body. False, and only the head is sent, if this is not the complete body."""
        self._head = None
        if self.disconnected:
            return False
        if message["type"] != "http.response.body" or message.get("more_body") or self.flow.write_paused:
            self.transport.write(head)
            return False
        body = message.get("body", b"")
        if len(body) != self.expected_content_length:
            self.transport.write(head)
            return False
        if len(body) < _LARGE:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:  # the shutdown has begun since
            self.transport.close()
        self.on_response()
        return True

    async def receive(self) -> ASGIReceiveEvent:
        """The next part of the request."""
        event = self.message_event
        if self.waiting_for_100_continue or self.response_complete or self.disconnected or not event.is_set():
            return await super().receive()
        event.clear()
        self.flow.resume_reading()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self.more_body}


@lru_cache(maxsize=500)
def _template(status: int, names: tuple[bytes, ...]) -> _Template | None:
    """The head of an ordinary response; None if it is none."""
    is_ordinary = status in STATUS_LINE and len(set(names)) == len(names) and _NOT_ORDINARY.isdisjoint(names)
    if not is_ordinary or _LENGTH not in names or not all(map(_NAME.fullmatch, names)):
        return None
    lines = [STATUS_LINE[status], *(name + b": %b\r\n" for name in names), b"\r\n"]
    return _Template(b"".join(lines), names.index(_LENGTH), b"\r\n" * len(lines))
