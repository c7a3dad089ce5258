"""Many subscribed sockets at minimal cost: frames are counted and searched for one number only."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from benchmarks.servers import PATIENCE, Server

Question = Mapping[str, Any]
"""The payload of a `subscribe`."""

VOLUME = re.compile(rb'"volume": ?([0-9.]+)')
"""Publishers put the time of a ticker there, in seconds of the monotonic clock."""


@dataclass
class Counted:
    """The frames that all sockets have received since `measuring`, in seconds from publishing to receipt."""

    measuring: bool = False
    delays: list[float] = field(default_factory=list)
    first: int = 0
    """Sockets that have received at least one frame."""
    acknowledged: list[float] = field(default_factory=list)
    """Seconds from `connection_init` to `connection_ack`, of each socket."""


class Listener(asyncio.Protocol):
    """One socket with one subscription. Frames of a server are not masked; frames of this client are short."""

    def __init__(self, server: Server, question: Question, counted: Counted) -> None:
        self._server = server
        self._question = question
        self._counted = counted
        self._opened = False
        self._heard = False
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        address = urlsplit(self._server.url)
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        if not self._opened:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._opened = True
            self._initialized = time.monotonic()
            authorization = {"authorization": f"Bearer {self._server.token}"}
            self._say({"type": "connection_init", "payload": authorization})
        self._rest = self._frames(data)

    def _frames(self, data: bytes) -> bytes:
        """Process all complete frames and return the beginning of the next one."""
        start, now = 0, time.monotonic()
        while len(data) >= start + 2:
            length, head = data[start + 1], 2
            if length == 126:
                length, head = int.from_bytes(data[start + 2 : start + 4]), 4
            if len(data) < start + head + length:
                break
            self._take(data[start] & 15, data[start + head : start + head + length], now)
            start += head + length
        return data[start:]

    def _take(self, opcode: int, payload: bytes, now: float) -> None:
        if opcode == 9:
            self._transport.write(bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        elif opcode == 1 and (found := VOLUME.search(payload)):
            self._counted.first += not self._heard
            self._heard = True
            if self._counted.measuring:
                self._counted.delays.append(now - float(found[1]))
        elif b'"connection_ack"' in payload:
            self._counted.acknowledged.append(now - self._initialized)
            self._say({"type": "subscribe", "id": "1", "payload": self._question})
        elif opcode == 8 or b'"error"' in payload:
            raise RuntimeError(f"{self._server.name} answered {payload!r}")

    def _say(self, message: object) -> None:
        payload = json.dumps(message).encode()
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
        self._transport.write(b"\x81" + length + b"\0\0\0\0" + payload)  # a mask of zeros changes nothing

    def close(self) -> None:
        self._transport.abort()


async def listen(
    server: Server, questions: Sequence[Question], counted: Counted, *, at_once: int = 200, within: float = 2 * PATIENCE
) -> list[Listener]:
    """Open a socket for each subscription, `at_once` at a time; return once all have received their first state.

    `within` is in seconds.

    Raises:
        RuntimeError: some have not received it in time.
    """
    loop, listeners = asyncio.get_running_loop(), []
    async with _in_time(server, counted, len(questions), within):
        for number, question in enumerate(questions):
            _, listener = await loop.create_connection(
                lambda question=question: Listener(server, question, counted),  # type: ignore[misc]  # mypy infers another type of protocol
                *server.address,
            )
            listeners.append(listener)
            while number + 1 - counted.first >= at_once:  # noqa: ASYNC110  # an event for each would cost more
                await asyncio.sleep(0.01)
        while counted.first < len(questions):  # noqa: ASYNC110  # the same
            await asyncio.sleep(0.05)
    return listeners


@asynccontextmanager
async def _in_time(server: Server, counted: Counted, sockets: int, seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise RuntimeError(f"{server.name}: {counted.first} of {sockets} sockets have received a frame.") from error
