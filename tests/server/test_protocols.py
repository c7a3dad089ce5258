"""The additions to uvicorn's protocols, such as a message that is sent without waiting."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode

from fullon_graphql.cli.listening import listening_socket
from fullon_graphql.config import Settings
from fullon_graphql.server.extension import TrySendText, try_send_of
from fullon_graphql.server.uvicorn_config import uvicorn_config
from tests.fixtures.eventually import eventually


class Application:
    """Accepts sockets, and keeps the `TrySend` of the last one."""

    def __init__(self) -> None:
        self.senders: asyncio.Queue[TrySendText] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        self.senders.put_nowait(try_send_of(scope))
        while (await receive())["type"] != "websocket.disconnect":
            pass


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with listening_socket("127.0.0.1", 0) as listening:
        listening.listen()  # clients may connect before the server has started
        yield listening


@asynccontextmanager
async def connected(
    settings: Settings, listening: socket.socket, **options: Any
) -> AsyncIterator[tuple[ClientConnection, TrySendText]]:
    """A client of a server in this process, and the application's `TrySend` for it."""
    application = Application()
    server = uvicorn.Server(uvicorn_config(application, settings))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    address = "ws://{}:{}/".format(*listening.getsockname()[:2])
    try:
        async with connect(address, proxy=None, max_size=None, **options) as client:
            yield client, await application.senders.get()
    finally:
        server.should_exit = True
        await serving


async def test_messages_of_every_length_arrive_complete_and_in_order(
    settings: Settings, listening: socket.socket
) -> None:
    texts = ["", "a", "é" * 62, "x" * 125, "x" * 126, "x" * 65_535, "x" * 65_536, "🙂" * 100_000]
    async with connected(settings, listening) as (client, offer):
        for text in texts:
            assert offer(text.encode())
            assert await client.recv() == text


async def test_try_send_is_false_without_capacity_and_accepted_messages_arrive(
    settings: Settings, listening: socket.socket
) -> None:
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    narrow.connect(listening.getsockname())
    async with connected(settings, listening, sock=narrow, max_queue=1) as (client, offer):
        taken = 0
        while taken < 200 and offer(f"{taken:100000}".encode()):
            taken += 1
            await asyncio.sleep(0)
        assert 0 < taken < 200
        assert not offer(b"refused")
        received = [int(await client.recv()) for _ in range(taken)]
        assert received == list(range(taken))
        await eventually(lambda: offer(b"again"))
        assert await client.recv() == "again"


async def test_open_socket_needs_no_dictionary_and_keeps_no_headers(
    settings: Settings, listening: socket.socket
) -> None:
    async with connected(settings, listening) as (_, try_send):
        protocol = try_send.__self__  # type: ignore[attr-defined]  # a bound method of the protocol
        assert vars(protocol) == {}
        assert not hasattr(protocol, "request")
        assert not hasattr(protocol, "response")


async def test_try_send_is_false_after_the_client_has_gone(settings: Settings, listening: socket.socket) -> None:
    async with connected(settings, listening) as (client, offer):
        await client.close()
        await eventually(lambda: not offer(b"text"))


def test_try_send_is_false_under_another_server() -> None:
    assert not try_send_of({"type": "websocket"})(b"text")


def narrow_socket(listening: socket.socket) -> socket.socket:
    """A connection with a small receive buffer."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    narrow.connect(listening.getsockname())
    return narrow


def frames(opcode: Opcode, count: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True) * count


async def test_pings_of_a_client_that_does_not_read_cost_bounded_memory(
    settings: Settings, listening: socket.socket
) -> None:
    async with connected(settings, listening, sock=narrow_socket(listening), max_queue=1) as (client, try_send):
        server = try_send.__self__.transport  # type: ignore[attr-defined]  # a bound method of the protocol
        client.transport.pause_reading()
        largest = 0
        for _ in range(200):
            client.transport.write(frames(Opcode.PING, 500, b"x" * 125))
            await asyncio.sleep(0.005)
            largest = max(largest, server.get_write_buffer_size())
        assert largest < 1_000_000
        client.transport.abort()


async def test_answer_to_the_newest_ping_follows_once_the_client_reads(
    settings: Settings, listening: socket.socket
) -> None:
    async with connected(settings, listening, sock=narrow_socket(listening), max_queue=1) as (client, try_send):
        sent = 0
        while try_send(b"x" * 100_000):
            sent += 1
            await asyncio.sleep(0)
        pong = await client.ping()
        for _ in range(sent):
            await client.recv()
        async with asyncio.timeout(20):
            await pong


@pytest.mark.parametrize(
    "flood",
    [frames(Opcode.TEXT, 5_000), frames(Opcode.TEXT, 1, fin=False) + frames(Opcode.CONT, 5_000, fin=False)],
    ids=["messages", "fragments"],
)
async def test_flood_closes_the_socket_with_a_code_and_the_limit(
    settings: Settings, listening: socket.socket, flood: bytes
) -> None:
    async with connected(settings, listening) as (client, _):
        client.transport.write(flood)
        async with asyncio.timeout(20):
            await client.wait_closed()
        assert client.close_code == 1008
        assert client.close_reason is not None
        assert client.close_reason.startswith("RATE_LIMITED: ")
        assert "1000" in client.close_reason


async def test_closed_socket_is_not_kept_until_its_next_ping(settings: Settings, listening: socket.socket) -> None:
    async with connected(settings, listening) as (client, try_send):
        protocol = weakref.ref(try_send.__self__)  # type: ignore[attr-defined]  # a bound method of the protocol
        del try_send
        await client.close()
        await eventually(lambda: gc.collect() >= 0 and protocol() is None)
