"""The frames of an open socket, compared with the `ServerProtocol` of websockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from fullon_graphql.server.frames import FINAL_TEXT, OpenWebSocket, frame_of

MAX_SIZE = 300
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def reference() -> ServerProtocol:
    """The protocol of websockets, after its handshake."""
    protocol = ServerProtocol(max_size=MAX_SIZE)
    protocol.receive_data(HANDSHAKE)
    [request] = protocol.events_received()
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request))
    protocol.data_to_send()
    return protocol


payloads = st.one_of(
    st.binary(max_size=130),
    st.text("a\u00e9\u20ac\U0001f600", max_size=20).map(str.encode),
    st.sampled_from([126, 127, MAX_SIZE, MAX_SIZE + 1]).map(bytes),
    st.tuples(st.integers(0, 65535), st.text("a\u00e9", max_size=8)).map(
        lambda drawn: drawn[0].to_bytes(2, "big") + drawn[1].encode()
    ),
    st.tuples(st.sampled_from([1000, 1001, 3000, 4999]), st.just("bye")).map(
        lambda drawn: drawn[0].to_bytes(2, "big") + drawn[1].encode()
    ),
)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """One frame of a client: mostly a valid one, also with a longer length than needed, or with any head."""
    opcode = draw(st.sampled_from([0, 0, 1, 1, 1, 2, 8, 9, 10]) | st.integers(0, 15))
    is_final, reserved = draw(st.sampled_from([True, True, False])), draw(st.sampled_from([0, 0, 0, 0, 1, 2, 4]))
    is_masked = draw(st.sampled_from([True] * 9 + [False]))
    payload = draw(payloads)
    mask = draw(st.binary(min_size=4, max_size=4)) if is_masked else b""
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload)) if is_masked else payload
    size, announced = draw(st.sampled_from([0, 0, 0, 2, 8])), len(payload)
    size = max(size, 0 if announced < 126 else 2)
    length = {0: announced, 2: 126, 8: 127}[size]
    head = bytes([is_final << 7 | reserved << 4 | opcode, is_masked << 7 | length])
    return head + (announced.to_bytes(size, "big") if size else b"") + mask + masked


@st.composite
def chunks(draw: st.DrawFn) -> list[bytes]:
    """The bytes of a client, divided at any bytes; the end may be missing."""
    sent = b"".join(draw(st.lists(frames(), max_size=6))) + draw(st.sampled_from([b"", b"", b"\x81", b"\x81\xfe\x00"]))
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    return [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]


Step = Callable[[Any], None]
steps = st.one_of(
    st.builds(lambda data: lambda protocol: protocol.send_text(data), st.binary(max_size=3)),
    st.builds(lambda data: lambda protocol: protocol.send_binary(data), st.sampled_from([bytes(126), bytes(70_000)])),
    st.just(lambda protocol: protocol.send_ping(b"beat")),
    st.just(lambda protocol: protocol.send_close(1012, "again")),
    st.just(lambda protocol: protocol.fail(1008, "flood")),
)


def observed(protocol: Any) -> Iterator[object]:
    """All that the server's protocol reads of it."""
    yield [(frame.opcode, bytes(frame.data), frame.fin) for frame in protocol.events_received()]
    yield b"".join(protocol.data_to_send())
    yield protocol.close_rcvd
    yield protocol.close_sent
    yield type(protocol.parser_exc), str(protocol.parser_exc)


def outcome(step: Step, protocol: Any) -> object:
    """The class of the error of a step."""
    try:
        step(protocol)
    except InvalidState as error:
        return type(error)
    return None


BEGUN = Frame(Opcode.TEXT, bytes(200), fin=False).serialize(mask=True)
TOO_LONG = BEGUN + Frame(Opcode.CONT, bytes(MAX_SIZE - 199)).serialize(mask=True)
INTERRUPTED = BEGUN + Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True)


@example([TOO_LONG], [])
@example([INTERRUPTED], [])
@given(chunks(), st.lists(st.tuples(st.integers(0, 8), steps), max_size=2))
def test_frames_are_those_of_websockets(received: list[bytes], drawn: list[tuple[int, Step]]) -> None:
    ours, theirs = OpenWebSocket(MAX_SIZE), reference()
    has_failed = False
    for index, chunk in enumerate(received):
        for at, step in drawn:
            if at == index and not has_failed:  # nothing is sent after the end
                assert outcome(step, ours) == outcome(step, theirs)
        ours.receive_data(chunk)
        theirs.receive_data(chunk)
        found = [*observed(ours)]
        assert found == [*observed(theirs)]
        has_failed = theirs.eof_sent


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_text_is_framed_as_by_websockets(length: int) -> None:
    text = b"a" * length
    assert frame_of(FINAL_TEXT, text) == Frame(Opcode.TEXT, text).serialize(mask=False)


def test_nothing_is_kept_between_frames() -> None:
    protocol = OpenWebSocket(MAX_SIZE)
    frame = Frame(Opcode.TEXT, b"hello").serialize(mask=True)
    protocol.receive_data(frame + frame[:-1])
    assert len(protocol.events_received()) == 1
    assert protocol._reader is not None
    protocol.receive_data(frame[-1:])
    assert len(protocol.events_received()) == 1
    assert protocol._reader is None
    assert protocol._parser is None
