"""`python -m benchmarks sockets`: opening a socket, and 10 000 open sockets in one process with one ticker a second."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Final

import uvloop
from redis.asyncio import Redis

from benchmarks.fanout import LIMITS, STREAMERS, publish, ticker_subscription
from benchmarks.listening import Counted, Listener, listen
from benchmarks.machine import CORES, quiet
from benchmarks.peers import OURS
from benchmarks.report import number, table
from benchmarks.servers import PATIENCE, Server, seconds_of, server
from benchmarks.stores import Stores, stores
from fullon_graphql.cache.client import connect

SYMBOL: Final = "S0"
OPENINGS: Final = 300
AT_ONCE: Final = (1, 16)
"""Handshakes at a time."""
MOST_OPENING: Final = 5.0
"""The budget: p50 from `connection_init` to `connection_ack` in milliseconds, one handshake at a time."""
OPENING_SECONDS: Final = 600.0
"""The most seconds that all sockets may take to open."""
DESCRIPTORS: Final = 2_000
"""File descriptors beside those of the sockets."""
FLOOR: Final = "floor: frames, no GraphQL"


@dataclass(frozen=True)
class Figures:
    """Latencies in milliseconds, memory in MB, processor time as a share of a core."""

    opening: Mapping[int, tuple[float, float]]
    p50: float
    p99: float
    resident: float
    per_socket: float
    cpu: float


def sockets(*, count: int, seconds: int) -> None:
    """Measure and print this server and the floor.

    Raises:
        SystemExit: the limit of open files is too low.
        RuntimeError: sockets did not open, or prices were not delivered in time.
    """
    _allow_files(count + DESCRIPTORS)
    with stores() as data:
        print(f"{len(CORES)} cores; {count} sockets, one price a second for {seconds} s; {quiet()}.\n")
        found = {name: _measured(name, data, count, seconds) for name in (OURS.title, FLOOR)}
    print(f"### Opening a socket\n\n{_openings(found)}")
    ours = found[OURS.title]
    opening = ours.opening[1][0]
    word = "kept" if opening <= MOST_OPENING else "MISSED"
    print(f"Budget {word}: p50 {number(opening)} ms, at most {MOST_OPENING:g} ms.\n")
    print(f"### {count} open sockets, every price delivered\n\n{_deliveries(found)}", flush=True)


def _allow_files(count: int) -> None:
    """Raise the limit of this process, which the servers inherit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < count:
        raise SystemExit(f"{count} open files are needed, and the limit is {most}; raise it with: ulimit -Hn {count}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, most))


def _measured(name: str, data: Stores, count: int, seconds: int) -> Figures:
    with (
        server(name, STREAMERS[name](), LIMITS, data) as each,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
    ):
        return loop.run(_measure(each, data, count, seconds))


async def _measure(each: Server, data: Stores, count: int, seconds: int) -> Figures:
    async with connect(data.settings.redis_url, data.settings, "benchmark") as redis:
        await publish(redis, [SYMBOL])
        await _close(await _open(each, 1, Counted(), 1))
        opening = {at_once: await _opening(each, at_once) for at_once in AT_ONCE}
        before = each.process.memory_info().rss
        counted = Counted()
        listeners = await _open(each, count, counted, 200)
        resident = each.process.memory_info().rss
        counted.measuring, used, started = True, seconds_of([each.process]), time.monotonic()
        await _publish_each_second(redis, seconds)
        used, spent = seconds_of([each.process]) - used, time.monotonic() - started
        await _wait_for(each, counted, count * seconds)
        await _close(listeners)
    percentiles = quantiles(counted.delays, n=100)
    return Figures(
        opening=opening,
        p50=percentiles[49] * 1e3,
        p99=percentiles[98] * 1e3,
        resident=resident / 1e6,
        per_socket=(resident - before) / count / 1e3,
        cpu=used / spent,
    )


async def _opening(each: Server, at_once: int) -> tuple[float, float]:
    """p50 and p99 in milliseconds from `connection_init` to `connection_ack`."""
    counted = Counted()
    await _close(await _open(each, OPENINGS, counted, at_once))
    percentiles = quantiles(counted.acknowledged, n=100)
    return percentiles[49] * 1e3, percentiles[98] * 1e3


async def _open(each: Server, count: int, counted: Counted, at_once: int) -> list[Listener]:
    return await listen(each, [ticker_subscription(SYMBOL)] * count, counted, at_once=at_once, within=OPENING_SECONDS)


async def _close(listeners: Sequence[Listener]) -> None:
    for listener in listeners:
        listener.close()
    await asyncio.sleep(1)  # the server forgets them


async def _publish_each_second(redis: Redis, count: int) -> None:
    """The last second is waited for too, so that processor time covers whole seconds."""
    due = time.monotonic()
    for _ in range(count):
        await publish(redis, [SYMBOL])
        due += 1
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def _wait_for(each: Server, counted: Counted, deliveries: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(counted.delays) < deliveries:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{each.name} has delivered {len(counted.delays)} of {deliveries} prices.")
        await asyncio.sleep(0.05)


def _openings(found: Mapping[str, Figures]) -> str:
    rows = [
        [f"{name}, {at_once} at a time", *map(number, percentiles)]
        for name, each in found.items()
        for at_once, percentiles in each.opening.items()
    ]
    return table(["from `connection_init` to `connection_ack`", "p50 ms", "p99 ms"], rows)


def _deliveries(found: Mapping[str, Figures]) -> str:
    heads = ["", "p50 ms", "p99 ms", "resident MB", "kB per socket", "CPU, % of a core"]
    rows = [
        [
            name,
            *map(number, (each.p50, each.p99, each.resident, each.per_socket, each.cpu * 100)),
        ]
        for name, each in found.items()
    ]
    return table(heads, rows)
