"""`python -m benchmarks storm`: a rolling restart under subscribers that resume after their cursors.

Two servers are replaced one after the other, while a writer inserts orders. A balancer in this process sends clients to
the servers whose `/health/ready` answers 200, as a load balancer does.
"""

from __future__ import annotations

import asyncio
import random
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Final

import asyncpg
import uvloop

from benchmarks.fanout import LIMITS
from benchmarks.feed import ORDER
from benchmarks.listening import Counted, Listener
from benchmarks.machine import CORES, quiet
from benchmarks.peers import OURS
from benchmarks.report import number, table
from benchmarks.servers import PATIENCE, Server, server
from benchmarks.stores import Stores, stores
from fullon_graphql.embedded.demo.catalogue import TRADER
from fullon_graphql.services.change_feed.table import Position

QUERY: Final = "subscription ($after: String) { orders(after: $after) { cursor order { orderId } } }"
INSERT: Final = ORDER.format(bot=1, uid=TRADER.uid) + " RETURNING order_id"
CURSOR: Final = re.compile(rb'"cursor" ?: ?"([^"]+)"')
ORDER_ID: Final = re.compile(rb'"orderId" ?: ?(\d+)')
HINT: Final = re.compile(rb"in (\d+) s")
RATE: Final = 1.0
"""Orders per second. Each goes to every subscriber."""
AT_ONCE: Final = 50
"""Subscribers that connect together before the restart."""
PROBE: Final = 0.5
"""Seconds between two probes of the balancer."""
AGAIN: Final = 0.5
"""Seconds until a client that was refused tries again."""
MOST_SECONDS: Final = 4.0
"""The budget: p95 of the seconds without the stream, from the close of a socket to the next event."""


@dataclass
class Balancer:
    """The servers that are ready."""

    ready: list[Server] = field(default_factory=list)

    @asynccontextmanager
    async def probing(self, servers: Sequence[Server]) -> AsyncIterator[None]:
        """Probe these servers, which may change, during the block."""
        probing = asyncio.create_task(self._probe(servers))
        try:
            yield
        finally:
            probing.cancel()

    async def _probe(self, servers: Sequence[Server]) -> None:
        while True:
            self.ready = [each for each in tuple(servers) if await asyncio.to_thread(_is_ready, each)]
            await asyncio.sleep(PROBE)

    def choose(self) -> Server | None:
        """A random ready server."""
        return random.choice(self.ready) if self.ready else None


class Follower:
    """One subscriber over all of its connections."""

    def __init__(self, balancer: Balancer, cursor: str) -> None:
        self.cursor = cursor
        self.first_order = 0
        """The order at `cursor` when the subscriber began."""
        self.orders: list[int] = []
        self.absences: list[float] = []
        """Seconds without the stream, of each reconnection."""
        self.resumptions: list[float] = []
        """Seconds of these from the first attempt to connect on."""
        self.connection: Connection | None = None
        self._balancer = balancer
        self._lost: float | None = None
        self._returned = 0.0
        self._task: asyncio.Task[None] | None = None
        self.attempts = 0
        """Connections that were tried."""

    def connect(self, delay: float = 0.0) -> None:
        """Connect after `delay` seconds, and until it succeeds."""
        self._task = asyncio.create_task(self._connect(delay))

    @property
    def is_away(self) -> bool:
        """True from the close of a socket to the next event."""
        return self._lost is not None

    async def _connect(self, delay: float) -> None:
        await asyncio.sleep(delay)
        self._returned = time.monotonic()
        while True:
            if chosen := self._balancer.choose():
                self.attempts += 1
                with suppress(OSError):
                    await asyncio.get_running_loop().create_connection(
                        lambda: Connection(chosen, self),  # called before the next round
                        *chosen.address,
                    )
                    return
            await asyncio.sleep(AGAIN)

    def on_event(self, payload: bytes) -> None:
        """Keep an event and its cursor."""
        cursor, order = CURSOR.search(payload), ORDER_ID.search(payload)
        assert cursor, payload
        assert order, payload
        if self._lost is not None:
            self.absences.append(time.monotonic() - self._lost)
            self.resumptions.append(time.monotonic() - self._returned)
            self._lost = None
        self.cursor = cursor[1].decode()
        self.orders.append(int(order[1]))

    def on_end(self, *, was_open: bool, hint: float) -> None:
        """Come back after `hint` seconds."""
        if was_open and self._lost is None:
            self._lost = time.monotonic()
        self.connect(hint)


class Connection(Listener):
    """One connection of a subscriber."""

    def __init__(self, chosen: Server, follower: Follower) -> None:
        super().__init__(chosen, {"query": QUERY, "variables": {"after": follower.cursor}}, Counted())
        self._follower = follower
        self._hint = AGAIN
        self._has_ended = False
        follower.connection = self

    def data_received(self, data: bytes) -> None:
        if not self._opened and not data.startswith(b"HTTP/1.1 101"):  # refused by a server that drains
            self._transport.abort()
            return
        super().data_received(data)

    def _take(self, opcode: int, payload: bytes, now: float) -> None:
        if opcode == 8:
            if found := HINT.search(payload):
                self._hint = float(found[1])
            self._transport.close()
        elif opcode == 1 and b'"next"' in payload:
            self._follower.on_event(payload)
        else:
            super()._take(opcode, payload, now)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._has_ended:
            self._follower.on_end(was_open=self._opened, hint=self._hint)

    def close(self) -> None:
        self._has_ended = True
        super().close()


@dataclass(frozen=True)
class Outcome:
    """The effect of one restart on the subscribers."""

    absences: list[float]
    resumptions: list[float]
    attempts: int
    lost: int
    doubled: int
    seconds: float


def storm(*, subscribers: int, drain: Sequence[float]) -> None:
    """Measure and print a rolling restart with each of these drains."""
    with stores() as data:
        print(
            f"{len(CORES)} cores; {subscribers} subscribers, {RATE:g} orders a second, two servers replaced one after "
            f"the other; {quiet()}.\n"
        )
        rows = []
        for seconds in drain:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
                found = loop.run(_measure(data, subscribers, seconds))
            percentiles = quantiles(found.absences, n=100)
            resumption = quantiles(found.resumptions, n=100)[94]
            figures = (median(found.absences), percentiles[94], max(found.absences), resumption)
            counts = (len(found.absences), found.attempts, found.lost, found.doubled)
            rows.append([f"{seconds:g} s", *map(number, figures), *map(str, counts), number(found.seconds)])
            word = "kept" if percentiles[94] <= MOST_SECONDS and not found.lost + found.doubled else "MISSED"
            print(
                f"Budget {word} with a drain of {seconds:g} s: p95 {number(percentiles[94])} s, at most "
                f"{MOST_SECONDS:g} s; {found.lost} lost, {found.doubled} doubled.\n"
            )
    heads = [
        "`DRAIN_SECONDS`",
        "p50 s",
        "p95 s",
        "longest s",
        "p95 s without the wait",
        "reconnections",
        "attempts",
        "lost",
        "doubled",
        "run s",
    ]
    print(table(heads, rows), flush=True)


async def _measure(data: Stores, subscribers: int, drain: float) -> Outcome:
    writer = await asyncpg.connect(data.settings.database_url)
    await writer.execute("SELECT setval('orders_order_id_seq', (SELECT max(order_id) FROM orders))")
    cursor = await _first_cursor(writer)
    servers: list[Server] = []
    balancer = Balancer()
    followers = [Follower(balancer, cursor) for _ in range(subscribers)]
    with ExitStack() as stack:

        async def start() -> Server:
            options = LIMITS | {"DRAIN_SECONDS": str(drain)}
            return await asyncio.to_thread(
                lambda: stack.enter_context(server(OURS.title, OURS.command(), options, data))
            )

        servers += [await start(), await start()]
        async with balancer.probing(servers):
            await _until(lambda: len(balancer.ready) == len(servers))
            written: list[int] = []
            writing = asyncio.create_task(_write(data, written))
            first = followers[0]
            for opened in range(0, subscribers, AT_ONCE):
                part = followers[opened : opened + AT_ONCE]
                for follower in part:
                    follower.cursor, follower.first_order = first.cursor, max(first.orders, default=0)
                    follower.connect()
                await _until(lambda: all(follower.orders for follower in part))  # noqa: B023  # awaited at once
            before = sum(follower.attempts for follower in followers)
            started = time.monotonic()
            for old in tuple(servers):
                servers.append(await start())
                await _until(lambda: servers[-1] in balancer.ready)
                old.process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(old.process.wait, drain + PATIENCE)
                servers.remove(old)
                # The start of the next server would take the core from those that serve.
                await _until(lambda: not any(follower.is_away for follower in followers))
            await asyncio.sleep(2 * PROBE)
            writing.cancel()
            await asyncio.wait([writing])
            with suppress(TimeoutError):  # counted as lost
                await _until(lambda: all(follower.orders[-1:] == written[-1:] for follower in followers))
            ended = time.monotonic()
            for follower in followers:
                if follower.connection:
                    follower.connection.close()
    await writer.close()
    return Outcome(
        absences=[absence for follower in followers for absence in follower.absences],
        resumptions=[resumption for follower in followers for resumption in follower.resumptions],
        attempts=sum(follower.attempts for follower in followers) - before,
        lost=sum(
            sum(order > follower.first_order for order in written) - len(set(follower.orders)) for follower in followers
        ),
        doubled=sum(len(follower.orders) - len(set(follower.orders)) for follower in followers),
        seconds=ended - started,
    )


async def _first_cursor(writer: asyncpg.Connection) -> str:
    await writer.execute(ORDER.format(bot=1, uid=TRADER.uid))
    [newest] = await writer.fetch("SELECT xid::text, seq FROM fullon_graphql.changes ORDER BY seq DESC LIMIT 1")
    return Position(int(newest["xid"]), newest["seq"]).cursor


async def _write(data: Stores, written: list[int]) -> None:
    """Insert orders until the task is cancelled."""
    writer = await asyncpg.connect(data.settings.database_url)
    try:
        while True:
            written.append(await writer.fetchval(INSERT))
            await asyncio.sleep(1 / RATE)
    finally:
        await writer.close()


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # an event for each would cost more
            await asyncio.sleep(0.02)


def _is_ready(each: Server) -> bool:
    try:
        with urllib.request.urlopen(each.at("/health/ready").url, timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False
