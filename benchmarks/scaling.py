"""The cost of one more worker to the stores: Redis and PostgreSQL under the connections that workers hold.

Only the stores run, and bare connections in place of workers, so that hundreds fit on one machine.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from statistics import linear_regression
from typing import Final
from urllib.parse import unquote, urlsplit

import asyncpg
import psutil

from benchmarks.machine import CORES, quiet
from benchmarks.report import number, table
from benchmarks.servers import seconds_of
from fullon_graphql.cache import keys
from fullon_graphql.embedded.engines.running import Engines, running_engines
from fullon_graphql.models import triggers

WORKERS: Final = (16, 64, 256)
LISTENERS: Final = (16, 64, 128)
"""Fewer, because of PostgreSQL's 200 connections."""
MESSAGES: Final = 3_000
BATCHES: Final = 300
SECONDS: Final = 10.0
"""Longest wait for one message to reach all connections."""
CHANNEL: Final = keys.ticker_updates("kraken", "BTC/USD")
PRICE: Final = b"x" * 180
BATCH: Final = b"x" * 400
"""The bytes of a price as the platform publishes it, and of a batch with two changes."""

Measured = Callable[[int], Awaitable[float]]


def scaling() -> None:
    """Measure and print the report."""
    print(f"{len(CORES)} cores; {quiet()}.\n")
    with (
        tempfile.TemporaryDirectory(prefix="fullon-bench-") as folder,
        running_engines(Path(folder) / "home", durable=False) as engines,
    ):
        asyncio.run(_report(engines))


class _Arrivals:
    """Counts messages on all connections."""

    def __init__(self) -> None:
        self._count = self._expected = 0
        self._all = asyncio.Event()

    def add(self, *_: object) -> None:
        self._count += 1
        if self._count >= self._expected:
            self._all.set()

    async def reach(self, count: int) -> None:
        """Wait until so many have arrived."""
        self._expected = count
        if self._count < count:
            self._all.clear()
            async with asyncio.timeout(SECONDS):
                await self._all.wait()


async def _report(engines: Engines) -> None:
    processes = {process.name(): process for process in psutil.Process().children()}
    redis = next(process for name, process in processes.items() if "redis" in name or "valkey" in name)
    postgres = processes["postgres"]
    redis_socket = unquote(urlsplit(engines.redis_url).path)

    async def price(workers: int) -> float:
        return await _prices(redis_socket, redis, workers)

    async def batch(workers: int) -> float:
        return await _batches(redis_socket, redis, workers)

    async def notification(workers: int) -> float:
        return await _notifications(engines.database_url, postgres, workers)

    rows = [
        await _row("a price, to Redis", price, WORKERS),
        await _row("a batch of the change feed, to Redis", batch, WORKERS),
        await _row("a change of credentials, to PostgreSQL", notification, LISTENERS),
    ]
    heads = ["µs of processor time", "16 workers", "64", "256, or 128 listeners", "per further worker"]
    print(table(heads, rows))
    print(f"An idle connection of PostgreSQL: {await _connection_bytes(engines.database_url) / 2**20:.1f} MB.")


async def _row(name: str, measure: Measured, counts: Sequence[int]) -> list[str]:
    seconds = [await measure(count) for count in counts]
    slope = linear_regression(counts, seconds).slope
    return [name, *(number(each * 1e6) for each in seconds), number(slope * 1e6)]


async def _prices(socket: str, redis: psutil.Process, workers: int) -> float:
    """Seconds of Redis per message that it delivers to the hub of each worker."""
    async with AsyncExitStack() as stack:
        received = _Arrivals()
        subscribe = _command(b"SUBSCRIBE", CHANNEL.encode())
        for _ in range(workers):
            await stack.enter_async_context(_reader(socket, subscribe, received))
        reader, writer = await asyncio.open_unix_connection(socket)
        publish = _command(b"PUBLISH", CHANNEL.encode(), PRICE)
        await asyncio.sleep(0.2)
        before = seconds_of([redis])
        for _ in range(MESSAGES):  # one at a time, as prices come
            writer.write(publish)
            await reader.readline()
        used = seconds_of([redis]) - before
        writer.close()
        return used / MESSAGES


async def _batches(socket: str, redis: psutil.Process, workers: int) -> float:
    """Seconds of Redis per batch that it delivers to each worker that follows the feed, which asks for the next one."""
    async with AsyncExitStack() as stack:
        received = _Arrivals()
        read = _command(b"XREAD", b"COUNT", b"1", b"BLOCK", b"0", b"STREAMS", b"bench", b"$")
        for _ in range(workers):
            await stack.enter_async_context(_reader(socket, read, received, again=read))
        reader, writer = await asyncio.open_unix_connection(socket)
        add = _command(b"XADD", b"bench", b"MAXLEN", b"~", b"256", b"*", b"batch", BATCH)
        await asyncio.sleep(0.2)
        before = seconds_of([redis])
        for number_ in range(1, BATCHES + 1):
            writer.write(add)
            await reader.readline()
            await reader.readline()
            await received.reach(number_ * workers)
        used = seconds_of([redis]) - before
        writer.close()
        return used / BATCHES


async def _notifications(url: str, postgres: psutil.Process, workers: int) -> float:
    """Seconds of PostgreSQL per notification that it delivers to the watcher of credentials of each worker."""
    connections = [await asyncpg.connect(url) for _ in range(workers + 1)]
    received = _Arrivals()
    for connection in connections[1:]:
        await connection.add_listener(triggers.CREDENTIALS_CHANNEL, received.add)
    notify = f"NOTIFY \"{triggers.CREDENTIALS_CHANNEL}\", '1'"
    before = seconds_of([postgres])
    for number_ in range(1, BATCHES + 1):
        await connections[0].execute(notify)
        await received.reach(number_ * workers)
    used = seconds_of([postgres]) - before
    for connection in connections:
        await connection.close()
    return used / BATCHES


async def _connection_bytes(url: str) -> float:
    """Memory that belongs to one idle connection alone."""
    connections = [await asyncpg.connect(url) for _ in range(20)]
    pids = [await connection.fetchval("SELECT pg_backend_pid()") for connection in connections]
    used = [psutil.Process(pid).memory_full_info().uss for pid in pids]
    for connection in connections:
        await connection.close()
    return sum(used) / len(used)


@asynccontextmanager
async def _reader(socket: str, command: bytes, received: _Arrivals, again: bytes = b"") -> AsyncIterator[None]:
    """A connection that sends `command`, counts the answers, and sends `again` after each."""
    reader, writer = await asyncio.open_unix_connection(socket)

    async def read() -> None:
        while await reader.read(65_536):
            received.add()
            if again:
                writer.write(again)

    writer.write(command)
    task = asyncio.create_task(read())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        writer.close()


def _command(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
