"""The frames of an open WebSocket: RFC 6455 without extensions.

`OpenWebSocket` does what `ServerProtocol` of websockets does after the handshake, with its parser and its answers, as a
property test checks. It keeps no parser and no buffer between frames, which takes several kB less: a worker has
thousands of sockets, and most are idle.
"""

from __future__ import annotations

from collections.abc import Generator
from struct import Struct
from typing import Final

from websockets.exceptions import InvalidState, PayloadTooBig, ProtocolError
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.streams import StreamReader

_FINAL: Final = 0x80
"""The bit of a frame's first byte that marks the last one of its message."""
FINAL_TEXT: Final = int(_FINAL | Opcode.TEXT)
"""The first byte of a frame that is a whole text message."""
_IN_16_BITS: Final = 126
_IN_64_BITS: Final = 127
"""Values of a frame's second byte that announce a longer length; each smaller value is the length."""

_head_of_16_bits: Final = Struct("!BBH").pack
_head_of_64_bits: Final = Struct("!BBQ").pack


def frame_of(head: int, payload: bytes) -> bytes:
    """The frame of a server with this first byte: not masked, not compressed. It is made once per delivered event."""
    length = len(payload)
    if length < _IN_16_BITS:
        return b"%c%c%b" % (head, length, payload)
    if length < 2**16:
        return _head_of_16_bits(head, _IN_16_BITS, length) + payload
    return _head_of_64_bits(head, _IN_64_BITS, length) + payload


class OpenWebSocket:
    """The server's side of one socket, with the names of `ServerProtocol`."""

    __slots__ = (
        "_events", "_is_discarding", "_max_size", "_message_size", "_parser", "_reader", "_writes", "close_rcvd",
        "close_sent", "parser_exc",
    )  # fmt: skip

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        """The most bytes of a message."""
        self._reader: StreamReader | None = None
        self._parser: Generator[None, None, Frame] | None = None
        """Reads the frame that has begun; both are None between frames."""
        self._message_size: int | None = None
        """The bytes of the fragments of a message so far; None between messages."""
        self._is_discarding = False
        """True after the end: the client's bytes are ignored."""
        self._events: list[Frame] = []
        self._writes: list[bytes] = []
        self.close_sent: Close | None = None
        self.close_rcvd: Close | None = None
        self.parser_exc: Exception | None = None
        """The fault of the client that has ended the socket."""

    def receive_data(self, data: bytes) -> None:
        """Read bytes of the client. Then `events_received` has its frames, and `data_to_send` the answers."""
        if self._is_discarding:
            return
        self._reader = self._reader or StreamReader()
        self._reader.feed_data(data)
        try:
            while not self._is_discarding and (frame := self._next_frame(self._reader)):
                self._receive(frame)
                self._events.append(frame)
        except ProtocolError as error:
            self._fail_to_parse(error, CloseCode.PROTOCOL_ERROR, str(error))
        except UnicodeDecodeError as error:
            self._fail_to_parse(error, CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        except PayloadTooBig as error:
            error.set_current_size(self._message_size)
            self._fail_to_parse(error, CloseCode.MESSAGE_TOO_BIG, str(error))

    def events_received(self) -> list[Frame]:
        """Take the frames that have been received."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> list[bytes]:
        """Take the bytes that are to be sent."""
        writes, self._writes = self._writes, []
        return writes

    def send_text(self, data: bytes) -> None:
        """Send a text message.

        Raises:
            InvalidState: a closing frame has been sent. So do `send_binary` and `send_close`.
        """
        self._check_open()
        self._send(Opcode.TEXT, data)

    def send_binary(self, data: bytes) -> None:
        """Send a binary message."""
        self._check_open()
        self._send(Opcode.BINARY, data)

    def send_ping(self, data: bytes) -> None:
        """Send a ping."""
        self._send(Opcode.PING, data)

    def send_close(self, code: int, reason: str = "") -> None:
        """Send a closing frame. The client is to answer it."""
        self._check_open()
        self._close(Close(code, reason))

    def fail(self, code: int, reason: str = "") -> None:
        """Send a closing frame, unless one has been sent, and ignore all that the client sends."""
        if self.close_sent is None:
            self._close(Close(code, reason))
        self._discard()

    def _next_frame(self, reader: StreamReader) -> Frame | None:
        """The next complete frame; None if its bytes have not all arrived."""
        if self._parser is None:
            if not reader.buffer:
                self._reader = None
                return None
            limit = self._max_size - (self._message_size or 0)
            self._parser = Frame.parse(reader.read_exact, mask=True, max_size=limit)
        try:
            next(self._parser)
        except StopIteration as complete:
            self._parser = None
            frame: Frame = complete.value
            return frame
        return None

    def _receive(self, frame: Frame) -> None:
        """Check that a frame may follow those before it, and answer it.

        Raises:
            ProtocolError: it may not, or it is a closing frame with an invalid code.
            UnicodeDecodeError: it is a closing frame with an invalid reason.
        """
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY:
                if self._message_size is not None:
                    raise ProtocolError("expected a continuation frame")
                self._message_size = None if frame.fin else len(frame.data)
            case Opcode.CONT:
                if self._message_size is None:
                    raise ProtocolError("unexpected continuation frame")
                self._message_size = None if frame.fin else self._message_size + len(frame.data)
            case Opcode.PING:
                self._send(Opcode.PONG, bytes(frame.data))
            case Opcode.CLOSE:
                self.close_rcvd = Close.parse(frame.data)
                if self._message_size is not None:
                    raise ProtocolError("incomplete fragmented message")
                if self.close_sent is None:
                    self._send(Opcode.CLOSE, bytes(frame.data))
                    self.close_sent = self.close_rcvd
                self._discard()

    def _fail_to_parse(self, error: Exception, code: int, reason: str) -> None:
        self.fail(code, reason)
        self.parser_exc = error

    def _close(self, close: Close) -> None:
        self._send(Opcode.CLOSE, close.serialize())
        self.close_sent = close

    def _discard(self) -> None:
        self._is_discarding = True
        self._reader = self._parser = None

    def _check_open(self) -> None:
        if self.close_sent is not None:
            raise InvalidState("connection is closing")

    def _send(self, opcode: Opcode, payload: bytes) -> None:
        self._writes.append(frame_of(_FINAL | opcode, payload))
