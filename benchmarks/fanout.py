"""`python -m benchmarks fanout`: the cost of delivering one price, or 200, to many sockets."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import cycle, islice
from statistics import median, quantiles
from typing import Final

import uvloop
from redis.asyncio import Redis

from benchmarks.listening import Counted, Question, listen
from benchmarks.machine import PEERS, PYTHON, description, node, quiet
from benchmarks.peers import OURS, uvicorn
from benchmarks.report import number, table
from benchmarks.servers import Server, seconds_of, server
from benchmarks.stores import Stores, stores
from fullon_graphql.cache import tickers
from fullon_graphql.cache.client import connect

DIFFERENT: Final = 200
RATE: Final = 5_000
"""Deliveries per second: a shared price to all sockets, or each of the different prices to its own sockets."""
LIMITS: Final = {"SOCKETS_PER_USER": "100000", "SUBSCRIPTIONS_PER_USER": "100000", "SOCKET_LIMIT": "100000"}

NODE: Final = "graphql-ws on Node"
STREAMERS: Final[dict[str, Callable[[], list[str]]]] = {
    OURS.title: OURS.command,
    NODE: lambda: [str(node()), str(PEERS / "graphql_ws.js")],
    "Strawberry as in its guide": lambda: uvicorn("streaming_strawberry:app"),
    "floor: frames, no GraphQL": lambda: [str(PYTHON), str(PEERS / "floor_of_frames.py")],
}


@dataclass(frozen=True)
class Figures:
    """Deliveries per second, µs of server processor time per delivery, latencies in milliseconds, kB per socket."""

    deliveries: float
    cpu: float
    p50: float
    p99: float
    memory: float


def fanout(servers: Sequence[str], *, sockets: Sequence[int], rounds: int, seconds: int) -> None:
    """Measure and print the servers with each number of sockets, with one shared and with 200 different streams."""
    with stores() as data:
        print(
            f"{description()}; {RATE} deliveries/s requested, medians of {rounds} rounds of {seconds} s; {quiet()}.\n"
        )
        for count in sockets:
            for different in (1, DIFFERENT):
                found = _rounds(servers, data, count, different, rounds, seconds)
                title = "one subscription for all" if different == 1 else f"{different} different subscriptions"
                print(f"### {count} sockets, {title}\n\n{_table(found)}")
                if {OURS.title, NODE} <= found.keys():
                    print(*_budgets(found, shared=different == 1), sep="\n\n", flush=True)


def _rounds(
    servers: Sequence[str], data: Stores, sockets: int, different: int, rounds: int, seconds: int
) -> dict[str, Figures]:
    """The medians of each server's figures, over interleaved rounds.

    A server that does not open that many sockets in time is reported and left out.
    """
    seen: dict[str, list[Figures]] = defaultdict(list)
    able = list(servers)
    for _ in range(rounds):
        for name in list(able):
            try:
                seen[name].append(_measured(name, data, sockets, different, seconds))
            except RuntimeError as error:
                print(f"{error}\n", flush=True)
                able.remove(name)
    return {name: Figures(*map(median, zip(*map(astuple, seen[name]), strict=True))) for name in able}


def _measured(name: str, data: Stores, sockets: int, different: int, seconds: int) -> Figures:
    with (
        server(name, STREAMERS[name](), LIMITS, data) as each,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
    ):
        return loop.run(_measure(each, data, sockets, different, seconds))


async def _measure(each: Server, data: Stores, sockets: int, different: int, seconds: int) -> Figures:
    symbols = [f"S{number}" for number in range(different)]
    async with connect(data.settings.redis_url, data.settings, "benchmark") as redis:
        await publish(redis, symbols)
        [warm] = await listen(each, [ticker_subscription(symbols[0])], Counted())
        before = each.process.memory_info().rss
        counted = Counted()
        listeners = await listen(
            each, [ticker_subscription(symbol) for symbol in islice(cycle(symbols), sockets)], counted
        )
        memory = (each.process.memory_info().rss - before) / sockets / 1000
        publishing = asyncio.create_task(keep_publishing(redis, symbols, RATE / sockets * different))
        await asyncio.sleep(1)
        counted.measuring, used, started = True, seconds_of([each.process]), time.monotonic()
        await asyncio.sleep(seconds)
        counted.measuring, spent = False, time.monotonic() - started
        used = seconds_of([each.process]) - used
        publishing.cancel()
        await asyncio.wait([publishing])
        for listener in (warm, *listeners):
            listener.close()
    percentiles = quantiles(counted.delays, n=100)
    count = len(counted.delays)
    return Figures(count / spent, used / count * 1e6, percentiles[49] * 1e3, percentiles[98] * 1e3, memory)


async def keep_publishing(redis: Redis, symbols: Sequence[str], rate: float) -> None:
    """Publish `rate` prices per second, one symbol after the other."""
    due = time.monotonic()
    for symbol in cycle(symbols):
        await publish(redis, [symbol])
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def publish(redis: Redis, symbols: Sequence[str]) -> None:
    now, moment = time.time(), time.monotonic()
    await tickers.write(
        redis,
        [tickers.Ticker("kraken", symbol, 100.5, now, volume=moment, bid=100.25, ask=100.75) for symbol in symbols],
    )


def ticker_subscription(symbol: str) -> Question:
    arguments, fields = '(exchange: "kraken", symbol: $symbol)', "symbol price volume bid ask"
    query = f"subscription ($symbol: String!) {{ ticker{arguments} {{ {fields} }} }}"
    return {"query": query, "variables": {"symbol": symbol}}


def _table(found: Mapping[str, Figures]) -> str:
    heads = ["", "deliveries/s", "server CPU µs per delivery", "p50 ms", "p99 ms", "kB per socket"]
    rows = [[name, *map(number, (f.deliveries, f.cpu, f.p50, f.p99, f.memory))] for name, f in found.items()]
    return table(heads, rows)


def _budgets(found: Mapping[str, Figures], *, shared: bool) -> list[str]:
    ours, theirs = found[OURS.title], found[NODE]
    share = 0.5 if shared else 1.0
    budgets = (
        (f"CPU per delivery {ours.cpu / theirs.cpu:.2f} of graphql-ws", ours.cpu <= share * theirs.cpu, f"{share:g}"),
        (f"{ours.memory:.1f} kB per socket", ours.memory <= 30, "30 kB"),
        (f"p99 {ours.p99:.1f} ms", ours.p99 <= 40, f"40 ms at {RATE} deliveries/s"),
    )
    return [f"Budget {'kept' if kept else 'MISSED'}: {what}, at most {most}." for what, kept, most in budgets] + [""]
