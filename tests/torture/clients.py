"""Clients of streams that reconnect after every fault and resume after their last event."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, NamedTuple

from httpx import HTTPError
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import Close

from tests.torture.transports import OpenStream, Refused

TEMPORARY_ERRORS: Final = frozenset({"SERVICE_UNAVAILABLE", "TIMEOUT", "CACHE_ERROR", "CACHE_TIMEOUT"})
"""Codes of errors that end a stream while a store does not answer; the client opens it again."""
EXPECTED_CLOSE_CODES: Final = frozenset({1006, 1012, 1013})
"""Close codes of a lost connection, of a restarted server and of an unavailable store."""
UNAVAILABLE_AT_SIGN_IN: Final = Close(1008, "Authentication error")
"""The close of a platform socket if the store with the credentials does not answer."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 0.5
"""Seconds before a client reconnects: doubled after each connection without a response, so that a server which starts
has the processors."""


@dataclass
class StreamClient:
    """A client of one stream over one transport. Violations of the server's promises are collected in `failures`."""

    stream: str
    transport: str
    open_stream: OpenStream
    url: str
    token: str
    variables: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list, init=False)
    connections: int = field(default=0, init=False)
    responses: int = field(default=0, init=False)
    """Number of responses on all connections."""
    _connection: asyncio.Task[None] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """The stream and the transport, for messages."""
        return f"{self.stream} by {self.transport}"

    async def run(self) -> None:
        """Receive responses, and reconnect, until cancelled."""
        pause = FIRST_PAUSE
        for self.connections in count(1):
            before = self.responses
            self._connection = asyncio.create_task(self._receive())
            try:
                await asyncio.wait([self._connection])
            finally:
                self._connection.cancel()
                await asyncio.wait([self._connection])
            if not self._connection.cancelled() and (error := self._connection.exception()):
                self._on_error(error)
            pause = FIRST_PAUSE if self.responses > before else min(pause * 2, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    def disconnect(self) -> None:
        """Drop the connection without closing it in order."""
        if self._connection:
            self._connection.cancel()

    def record(self, response: Mapping[str, Any]) -> None:
        """Check a response and store what it contains."""
        raise NotImplementedError

    def on_connect(self) -> None:
        """Called before each connection."""

    async def _receive(self) -> None:
        self.on_connect()
        async with aclosing(self.open_stream(self.url, self.token, self.variables)) as responses:
            async for response in responses:
                self.responses += 1
                self.record(response)

    def _on_error(self, error: BaseException) -> None:
        match error:
            case Refused(extensions={"code": "LAGGED", "cursor": cursor}):
                self.variables["after"] = cursor
            case Refused(extensions={"code": code}) if code in TEMPORARY_ERRORS:
                pass
            case ConnectionClosed(rcvd=close) if _is_expected(close):
                pass
            case OSError() | HTTPError():
                pass
            case WebSocketException() if not isinstance(error, ConnectionClosed):
                pass  # the handshake failed: no worker accepts connections
            case _:
                self.failures.append(f"{self.name}: {error!r}")


def _is_expected(close: Close | None) -> bool:
    return close is None or close.code in EXPECTED_CLOSE_CODES or close == UNAVAILABLE_AT_SIGN_IN


class Event(NamedTuple):
    """An event as both the stream and the feed's table have it."""

    cursor: str
    kind: str


class EventClient(StreamClient):
    """Collects every event, and resumes after the last one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.events: list[Event] = []

    def record(self, response: Mapping[str, Any]) -> None:
        if not response.get("data") or "errors" in response:
            self.failures.append(f"{self.name}: no complete event in {response}")
            return
        [event] = response["data"].values()
        self.events.append(Event(event["cursor"], event["kind"]))
        self.variables["after"] = event["cursor"]


class RowClient(StreamClient):
    """Keeps rows by their id. Every third connection begins with a new snapshot, the others resume."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.rows: dict[str, str] = {}
        self.removals: set[str] = set()
        """The cursors of the events that have removed a row."""

    def on_connect(self) -> None:
        if self.connections % 3 == 1:
            self.rows.clear()
            self.variables.pop("after", None)

    def record(self, response: Mapping[str, Any]) -> None:
        if not response.get("data") or "errors" in response:
            self.failures.append(f"{self.name}: no complete event in {response}")
            return
        [event] = response["data"].values()
        self.variables["after"] = event["cursor"]
        if event["order"]:
            self.rows[event["rowId"]] = event["order"]["status"]
        elif self.rows.pop(event["rowId"], None):
            self.removals.add(event["cursor"])


class StateClient(StreamClient):
    """Keeps the newest step of each symbol, which must not decrease within a connection.

    A response has one state, a list of them, or one within an update, as candles have.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.steps: dict[str, float] = {}

    def on_connect(self) -> None:
        self.steps = {}

    def record(self, response: Mapping[str, Any]) -> None:
        if not response.get("data"):
            self.failures.append(f"{self.name}: no data in {response}")
            return
        [found] = response["data"].values()
        for each in found if isinstance(found, list) else [found.get("candle", found)]:
            before, self.steps[each["symbol"]] = self.steps.get(each["symbol"], -1), each["step"]
            if each["step"] < before:
                self.failures.append(f"{self.name}: {each} after {before}")
