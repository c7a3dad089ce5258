"""The framings of streams over HTTP, and their selection by `Accept`."""

from __future__ import annotations

import pytest

from fullon_graphql.transports.framing import EVENTS, PARTS, Framing, accepts_only_events, framing_for

ERRORS = [{"message": "no"}]


def test_event_is_one_data_line_for_any_json() -> None:
    assert EVENTS.event('{"data":\n{"a":\r\n"\u2028"}}'.encode(), "c1") == (
        'id: c1\nevent: next\ndata: {"data": {"a":  "\u2028"}}\n\n'.encode()
    )
    assert EVENTS.event(b"{}") == b"event: next\ndata: {}\n\n"


def test_ending_carries_the_errors() -> None:
    assert EVENTS.ending() == b"event: complete\ndata: \n\n"
    assert EVENTS.ending(ERRORS) == b'event: next\ndata: {"errors":[{"message":"no"}]}\n\nevent: complete\ndata: \n\n'
    assert PARTS.ending() == b"--\r\n"
    assert PARTS.opening + PARTS.event(b'{"data":1}', "c1") + PARTS.heartbeat + PARTS.ending(ERRORS) == (
        b'--graphql\r\nContent-Type: application/json\r\n\r\n{"payload":{"data":1}}'
        b"\r\n--graphql\r\nContent-Type: application/json\r\n\r\n{}"
        b'\r\n--graphql\r\nContent-Type: application/json\r\n\r\n{"payload":{"errors":[{"message":"no"}]}}'
        b"\r\n--graphql--\r\n"
    )


def test_interruption_makes_clients_reconnect() -> None:
    assert EVENTS.interruption({"message": "later"}, 3) == b"retry: 3000\n: later\n\n"
    assert PARTS.interruption({"message": "later"}, 3) == (
        b'\r\nContent-Type: application/json\r\n\r\n{"payload":null,"errors":[{"message":"later"}]}\r\n--graphql--\r\n'
    )


@pytest.mark.parametrize(
    ("accept", "streamed", "only_events"),
    [
        ("text/event-stream", EVENTS, True),
        ("Text/Event-Stream", EVENTS, True),
        ("text/event-stream, */*", EVENTS, True),
        ("application/graphql-response+json, application/json, text/event-stream, multipart/mixed", EVENTS, False),
        ('multipart/mixed;boundary="graphql";subscriptionSpec=1.0, application/json', PARTS, False),
        ('multipart/mixed; subscriptionSpec="1.0"', PARTS, False),
        ("multipart/mixed; deferSpec=20220824, application/json", None, False),
        ("application/json", None, False),
        ("*/*", None, False),
        ("", None, False),
    ],
)
def test_accept_header_selects_the_framing(accept: str, streamed: Framing | None, only_events: bool) -> None:
    assert framing_for(accept) is streamed
    assert accepts_only_events(accept) is only_events
