"""Clients that follow a stream whatever happens to them: they come back, and go on where they were."""

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

from tests.torture.transports import Refused, Way

PASSING: Final = frozenset({"SERVICE_UNAVAILABLE", "TIMEOUT", "CACHE_ERROR", "CACHE_TIMEOUT"})
"""Codes that end a stream of one whose stores are away, and after which it is opened again."""
NORMAL: Final = frozenset({1006, 1012, 1013})
"""How sockets may be closed on clients that have done nothing wrong: cut off, restart, store away."""
UNCHECKED: Final = Close(1008, "Authentication error")
"""How plain sockets say that the store is away which knows who somebody is."""
PAUSE: Final = 0.1
"""Seconds before a client comes back."""


@dataclass
class Follower:
    """One client of one stream, by a `transport`. What must never happen is noted in `complaints`."""

    stream: str
    transport: str
    way: Way
    url: str
    token: str
    variables: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list, init=False)
    connections: int = field(default=0, init=False)
    heard: int = field(default=0, init=False)
    """Responses on all connections."""
    _connection: asyncio.Task[None] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """Which one this is."""
        return f"{self.stream} by {self.transport}"

    async def run(self) -> None:
        """Follow until cancelled."""
        for self.connections in count(1):
            self._connection = asyncio.create_task(self._listen())
            try:
                await asyncio.wait([self._connection])
            finally:
                self._connection.cancel()
                await asyncio.wait([self._connection])
            if not self._connection.cancelled() and (error := self._connection.exception()):
                self._lost(error)
            await asyncio.sleep(PAUSE)

    def cut(self) -> None:
        """Have the connection end without a word to the server."""
        if self._connection:
            self._connection.cancel()

    def take(self, response: Mapping[str, Any]) -> None:
        """Remember what a response says."""
        raise NotImplementedError

    def again(self) -> None:
        """A new connection is made."""

    async def _listen(self) -> None:
        self.again()
        async with aclosing(self.way(self.url, self.token, self.variables)) as responses:
            async for response in responses:
                self.heard += 1
                self.take(response)

    def _lost(self, error: BaseException) -> None:
        match error:
            case Refused(extensions={"code": "LAGGED", "cursor": cursor}):
                self.variables["after"] = cursor
            case Refused(extensions={"code": code}) if code in PASSING:
                pass
            case ConnectionClosed(rcvd=close) if close is None or close.code in NORMAL or close == UNCHECKED:
                pass
            case OSError() | HTTPError():
                pass
            case WebSocketException() if not isinstance(error, ConnectionClosed):
                pass  # no handshake: nobody is there, or only just
            case _:
                self.complaints.append(f"{self.name}: {error!r}")


class Event(NamedTuple):
    """What a stream of events tells, and the feed's table as well."""

    cursor: str
    kind: str


class EventFollower(Follower):
    """Hears every event, and after a broken connection those since the last."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.events: list[Event] = []

    def take(self, response: Mapping[str, Any]) -> None:
        if not response.get("data"):
            self.complaints.append(f"{self.name}: no data in {response}")
            return
        [event] = response["data"].values()
        self.events.append(Event(event["cursor"], event["kind"]))
        self.variables["after"] = event["cursor"]


class StateFollower(Follower):
    """Keeps the newest state: of each symbol its step, which may not go back as long as a connection lasts.

    A response has one state, a list of them, or one within an update, as candles have.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.steps: dict[str, float] = {}

    def again(self) -> None:
        self.steps = {}

    def take(self, response: Mapping[str, Any]) -> None:
        if not response.get("data"):
            self.complaints.append(f"{self.name}: no data in {response}")
            return
        [found] = response["data"].values()
        for each in found if isinstance(found, list) else [found.get("candle", found)]:
            before, self.steps[each["symbol"]] = self.steps.get(each["symbol"], -1), each["step"]
            if each["step"] < before:
                self.complaints.append(f"{self.name}: {each} after {before}")
