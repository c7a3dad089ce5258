"""HTTP requests to our protocol: the bytes on the wire are those of uvicorn's own protocol, in fewer writes."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fullon_graphql.cli.listening import listening_socket
from fullon_graphql.config import Settings
from fullon_graphql.server.protocols import HttpProtocol
from fullon_graphql.server.uvicorn_config import uvicorn_config
from tests.fixtures.eventually import eventually

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n%b\r\n"


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with listening_socket("127.0.0.1", 0) as listening:
        listening.listen()
        yield listening


@asynccontextmanager
async def serving(
    handler: Handler, listening: socket.socket, protocol: type[HttpToolsProtocol] = HttpProtocol, **options: Any
) -> AsyncIterator[uvicorn.Server]:
    """A server in this process that answers with `handler`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
        else:
            await handler(scope, receive, send)

    config = uvicorn_config(app, Settings(), **options)
    config.http, config.date_header = protocol, False
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield server
    finally:
        server.should_exit = True
        await task


async def exchange(listening: socket.socket, *requests: bytes) -> bytes:
    """All that the server sends until it closes the connection; the requests are sent one by one."""
    reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
    async with asyncio.timeout(10):
        for request in requests:
            writer.write(request)
            await asyncio.sleep(0.02)
        answer = await reader.read()
    writer.close()
    return answer


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


def length(number: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % number


def sending(*messages: Message) -> Handler:
    async def handler(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))

    return handler


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with all that has been received."""
    parts = [scope["method"].encode(), scope["path"].encode(), scope["raw_path"], scope["query_string"]]
    more = True
    while more:
        message = await receive()
        parts.append(message["body"])
        more = message["more_body"]
    text = b"|".join([*parts[:4], b"".join(parts[4:])])
    await send(start(length(len(text))))
    await send(body(text))


RESPONSES = {
    "ordinary": sending(start((b"x-a", b"tab\tand \xe9"), length(2)), body(b"ok")),
    "without a body": sending(start(length(0)), body(b"")),
    "without a body in its message": sending(start(length(0)), {"type": "http.response.body"}),
    "not found": sending(start(length(2), status=404), body(b"no")),
    "no content": sending(start(status=204), body(b"")),
    "not modified, with a length": sending(start(length(7), status=304), body(b"content")),
    "chunked": sending(start((b"x-a", b"1")), body(b"one", more=True), body(b"two")),
    "chunked by the application": sending(start((b"transfer-encoding", b"chunked")), body(b"one")),
    "length and chunked": sending(start(length(3), (b"transfer-encoding", b"chunked")), body(b"one")),
    "body in parts": sending(start(length(6)), body(b"one", more=True), body(b"two")),
    "repeated field": sending(start((b"set-cookie", b"a"), (b"set-cookie", b"b"), length(2)), body(b"ok")),
    "repeated length": sending(start(length(2), length(3)), body(b"ok")),
    "capital letters": sending(start((b"X-Upper", b"1"), (b"Content-Length", b"2")), body(b"ok")),
    "last of its connection": sending(start((b"connection", b"close"), length(2)), body(b"ok")),
    "large": sending(start(length(3_000_000)), body(b"x" * 3_000_000)),
    "body is longer": sending(start(length(2)), body(b"long")),
    "body is shorter": sending(start(length(9)), body(b"short")),
    "parts are longer": sending(start(length(4)), body(b"one", more=True), body(b"two")),
    "length is no number": sending(start((b"content-length", b"two")), body(b"ok")),
    "line break in a value": sending(start((b"x-a", b"1\r\nx-b: 2"), length(2)), body(b"ok")),
    "new line in a value": sending(start((b"x-a", b"1\nx-b: 2"), length(2)), body(b"ok")),
    "end of the head in a value": sending(start(length(2), (b"x-a", b"1\r\n\r\nno")), body(b"ok")),
    "null byte in a value": sending(start((b"x-a", b"\x00"), length(2)), body(b"ok")),
    "line break in a name": sending(start((b"x-a: 1\r\nx-b", b"2"), length(2)), body(b"ok")),
    "space in a name": sending(start((b"x a", b"2"), length(2)), body(b"ok")),
    "colon in a name": sending(start((b"x-a:", b"2"), length(2)), body(b"ok")),
    "format in a name": sending(start((b"x-%b", b"2"), length(2)), body(b"ok")),
    "no name": sending(start((b"", b"2"), length(2)), body(b"ok")),
    "body comes first": sending(body(b"ok")),
    "two heads": sending(start(length(2)), start(length(2))),
    "message after the end": sending(start(length(2)), body(b"ok"), body(b"ok")),
    "no response": sending(),
    "unknown status": sending(start(length(2), status=999), body(b"ok")),
}


@pytest.mark.parametrize(
    "requests",
    [[LAST], [GET.replace(b"GET", b"HEAD"), LAST], [b"GET / HTTP/1.0\r\n\r\n"], [GET, LAST], [GET + GET + LAST]],
    ids=["last", "head", "old", "twice", "pipelined"],
)
async def test_response_is_that_of_uvicorn(requests: list[bytes], listening: socket.socket) -> None:
    async def handler(scope: Scope, receive: Receive, send: Send) -> None:
        await RESPONSES[scope["path"][1:]](scope, receive, send)

    async def answers(listening: socket.socket) -> dict[str, bytes]:
        asked = [
            exchange(listening, *(request.replace(b" /", b" /" + quote(name).encode()) for request in requests))
            for name in RESPONSES
        ]
        return dict(zip(RESPONSES, await asyncio.gather(*asked), strict=True))

    async with serving(handler, listening, HttpToolsProtocol):
        expected = await answers(listening)
    with listening_socket("127.0.0.1", 0) as ours:
        ours.listen()
        async with serving(handler, ours):
            assert await answers(ours) == expected


@pytest.mark.parametrize(
    "requests",
    [
        [POST % b"Connection: close\r\n" + b"body"],
        [POST % b"Connection: close\r\n", b"bo", b"dy"],
        [POST % b"Connection: close\r\nExpect: 100-continue\r\n", b"body"],
        [POST % b"" + b"body" + POST % b"" + b"more" + LAST],
        [b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n" + LAST],
        [LAST.replace(b"/", b"/a%20b%2F?x=%20&y?z#f", 1)],
        [LAST.replace(b"/", b"http://host:80/path?query", 1)],
        [LAST.replace(b"/", b"//double", 1)],
        [LAST.replace(b"/", b"*", 1)],
        [LAST.replace(b"/", b"/\xe9", 1)],
        [LAST.replace(b"Host: x", b"Upgrade: h2c\r\nConnection: upgrade", 1)],
        [b"nonsense\r\n\r\n"],
        [GET + b"nonsense\r\n\r\n"],
        [b"CONNECT host:80 HTTP/1.1\r\nConnection: close\r\n\r\n"],
    ],
)
async def test_request_is_read_as_by_uvicorn(requests: list[bytes], listening: socket.socket) -> None:
    async with serving(echo, listening, HttpToolsProtocol):
        expected = await exchange(listening, *requests)
    with listening_socket("127.0.0.1", 0) as ours:
        ours.listen()
        async with serving(echo, ours):
            assert await exchange(ours, *requests) == expected


@pytest.mark.parametrize(
    "field",
    [(b"x-a", b"1\r\nx-b: 2"), (b"x-a", b"\r\n\r\nbody"), (b"x-a", b"\n"), (b"x-a: 1\r\nx-b", b"2"), (b"x-\n", b"1")],
)
async def test_injected_field_is_refused(
    field: tuple[bytes, bytes], listening: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(sending(start(field, length(2)), body(b"ok")), listening):
        assert await exchange(listening, GET) == b""
    assert "Invalid HTTP header" in caplog.text


async def test_pipelined_requests_are_answered_in_order(listening: socket.socket) -> None:
    finished = []

    async def slower_first(scope: Scope, _receive: Receive, send: Send) -> None:
        number = int(scope["query_string"])
        await asyncio.sleep(0.03 - number * 0.01)
        finished.append(number)
        await send(start(length(2)))
        await send(body(b"%02d" % number))

    requests = [GET.replace(b"/", b"/?%d" % number, 1) for number in range(3)]
    async with serving(slower_first, listening) as server:
        answers = await exchange(listening, b"".join(requests) + LAST.replace(b"/", b"/?3", 1))
        assert server.server_state.total_requests == 4
    assert [part[:2] for part in answers.split(b"\r\n\r\n")[1:]] == [b"00", b"01", b"02", b"03"]
    assert finished == [0, 1, 2, 3]


async def test_head_and_body_are_sent_together(listening: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
    async with serving(sending(start(length(2)), body(b"ok")), listening):
        writer.write(GET)
        assert (await reader.read(10_000)).endswith(b"\r\n\r\nok")
        writer.close()


async def test_head_waits_for_the_body(listening: socket.socket) -> None:
    may_end = asyncio.Event()

    async def handler(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start(length(2)))
        await may_end.wait()
        await send(body(b"ok"))

    async with serving(handler, listening):
        reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
        writer.write(GET)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        may_end.set()
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


@pytest.mark.parametrize("size", [2, 10_000_000])
async def test_client_that_disconnects_ends_the_response(
    size: int, listening: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """With a head that is held back, and in the middle of a body that the client does not read."""
    caplog.set_level(logging.WARNING)
    events: list[str] = []

    async def handler(_scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        await send(start(length(size)))
        if size > 2:
            await send(body(b"x" * (size - 1), more=True))
        events.append("begun")
        events.append((await receive())["type"])
        await send(body(b"x" * (2 if size == 2 else 1)))
        events.append("sent")

    reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
    async with serving(handler, listening):
        writer.write(GET)
        await eventually(lambda: events)
        writer.transport.abort()
        await eventually(lambda: len(events) == 3)
    assert events == ["begun", "http.disconnect", "sent"]
    assert "Exception" not in caplog.text
    del reader


async def test_idle_connection_is_closed_after_its_last_response(listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    async with serving(sending(start(length(2)), body(b"ok")), listening, timeout_keep_alive=0.4):
        reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
        for _ in range(4):
            await asyncio.sleep(0.2)  # longer than the timeout in all
            writer.write(GET)
            assert (await reader.readuntil(b"ok")).endswith(b"ok")
        answered = loop.time()
        assert await reader.read() == b""
        assert 0.3 < loop.time() - answered < 5
        writer.close()


async def test_long_request_is_not_idle(listening: socket.socket) -> None:
    async def handler(scope: Scope, _receive: Receive, send: Send) -> None:
        await asyncio.sleep(float(scope["query_string"]))
        await send(start(length(2)))
        await send(body(b"ok"))

    async with serving(handler, listening, timeout_keep_alive=0.1):
        requests = GET.replace(b"/", b"/?0", 1), GET.replace(b"/", b"/?0.4", 1)
        assert (await exchange(listening, *requests)).count(b"ok") == 2


async def test_requests_beyond_the_limit_are_refused(listening: socket.socket) -> None:
    async with serving(sending(start(length(2)), body(b"ok")), listening, limit_concurrency=1):
        answer = await exchange(listening, GET)
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"connection: close" in answer
