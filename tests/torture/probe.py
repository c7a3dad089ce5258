"""A client that sends requests all the time, and records which of them fail after which fault."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from time import monotonic
from typing import Final

import httpx
import orjson

from tests.fixtures.server import bearer

REQUESTS: Final = {
    "rows": "{ me { mail } orders(first: 3) { nodes { orderId } } }",
    "prices": '{ ticker(exchange: "kraken", symbol: "BTC/USD") { price } }',
    "changes": 'mutation { updateProfile(input: {name: "probe"}) { name } }',
}
"""A request to each store: a query of PostgreSQL, a query of Redis, and a change in PostgreSQL."""
PAUSE: Final = 0.03
"""Seconds between two requests of one kind."""
ANSWERED: Final = 10
"""Answers in a row after which requests of a kind are taken to be answered again."""


@dataclass
class Window:
    """The requests of one kind that ended after one kind of fault and before the next fault."""

    stated: float
    """Seconds after the fault in which requests may fail."""
    requests: int = 0
    failed: int = 0
    outside: int = 0
    """Requests that failed later than stated."""
    seconds: float = 0.0
    """From the fault until the last request has failed."""
    slowest: float = 0.0
    """Seconds until the slowest answer."""

    def __str__(self) -> str:
        failed = f"{self.failed} failed, the last after {self.seconds:.2f} s" if self.failed else "0 failed"
        return f"{self.requests} requests, {failed} of {self.stated:g} s; slowest answer {self.slowest:.2f} s"


class Probe:
    """Sends each request of `REQUESTS` repeatedly, one at a time. `failures` has the first that failed outside of each window."""

    def __init__(self, url: str, token: str) -> None:
        self.windows: dict[tuple[str, str], Window] = {}
        """By fault and kind of request."""
        self.failures: list[str] = []
        self._url, self._token = url, token
        self._fault = "no fault"
        self._stated: Mapping[str, float] = {}
        self._since = monotonic()
        self._answered: defaultdict[str, int] = defaultdict(int)
        """Answers since the last failure, or the last fault."""

    def begin(self, fault: str, stated: Mapping[str, float]) -> None:
        """A fault is injected now; requests of a kind may fail for `stated` seconds."""
        self._fault, self._stated, self._since = fault, stated, monotonic()
        self._answered.clear()

    @property
    def has_recovered(self) -> bool:
        """True once requests of all kinds are answered again."""
        return all(self._answered[kind] >= ANSWERED for kind in REQUESTS)

    async def run(self) -> None:
        """Send requests until cancelled."""
        async with (
            httpx.AsyncClient(base_url=self._url, headers=bearer(self._token), timeout=60) as client,
            asyncio.TaskGroup() as group,
        ):
            for kind, query in REQUESTS.items():
                group.create_task(self._send_repeatedly(client, kind, query))

    async def _send_repeatedly(self, client: httpx.AsyncClient, kind: str, query: str) -> None:
        for _ in count():
            started = monotonic()
            error = await _error(client, query)
            self._record(kind, error, started, monotonic())
            await asyncio.sleep(PAUSE)

    def _record(self, kind: str, error: str, started: float, ended: float) -> None:
        stated = self._stated.get(kind, 0)
        window = self.windows.setdefault((self._fault, kind), Window(stated))
        window.requests += 1
        if not error:
            self._answered[kind] += 1
            window.slowest = max(window.slowest, ended - started)
            return
        self._answered[kind] = 0
        window.failed += 1
        after = ended - self._since
        window.seconds = max(window.seconds, after)
        if after <= stated:
            return
        window.outside += 1
        if window.outside == 1:
            self.failures.append(f"{kind} failed {after:.2f} s after {self._fault}, not within {stated:g} s: {error}")


async def _error(client: httpx.AsyncClient, query: str) -> str:
    """The reason for which a request has failed; empty after success."""
    try:
        response = await client.post("/graphql", json={"query": query})
    except httpx.HTTPError as error:
        return repr(error)
    if response.status_code == httpx.codes.OK and "errors" not in orjson.loads(response.content):
        return ""
    return f"{response.status_code} {response.text[:200]!r}"
