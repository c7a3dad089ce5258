"""`python -m benchmarks documents`: memory and pauses of a worker that meets thousands of distinct documents.

The documents are of every size up to the limit of tokens, and of every kind: planned, executed by the reference,
invalid. Meanwhile a process of its own asks `/health/live` every 20 ms, and sockets receive a ticker.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from statistics import quantiles
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import psutil
import uvloop

from benchmarks.fanout import keep_publishing, publish, ticker_subscription
from benchmarks.listening import Counted, listen
from benchmarks.load import _length, _request
from benchmarks.machine import CORES, quiet
from benchmarks.peers import OURS
from benchmarks.report import number, table
from benchmarks.servers import Server, server
from benchmarks.stores import Stores, stores
from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings

SMALLEST: Final = 12
LARGEST: Final = Settings.model_fields["query_token_limit"].default
"""Tokens of the documents; most are small, as those of applications."""
PROBE_SECONDS: Final = 0.02
SOCKETS: Final = 100
TICKERS: Final = 20.0
"""Tickers per second."""
PATIENCE: Final = 60.0
"""Seconds for an answer."""
MOST_MEMORY: Final = 300.0
MOST_PAUSE: Final = 100.0
"""The budget: resident MB, and milliseconds."""

_TOKEN: Final = re.compile(r'[A-Za-z_]\w*|\d+|"[^"]*"|[{}():!$]|\.\.\.')
_ROOTS: Final = (
    ("bots(first: 1) {{ nodes {{ {} }} }}", ("botId", "name", "active", "dryRun", "timestamp")),
    ("orders(first: 1) {{ nodes {{ {} }} }}", ("orderId", "side", "volume", "price", "status", "symbol", "exchange")),
    ("trades(first: 1) {{ nodes {{ {} }} }}", ("tradeId", "side", "volume", "price", "cost", "fee")),
    ("bot(botId: 1) {{ {} orders(first: 2) {{ nodes {{ side instrument {{ base }} }} }} }}", ("botId", "name")),
    ("symbols(first: 2) {{ nodes {{ {} ticker {{ price }} }} }}", ("symbol", "base", "quote", "decimals")),
    ('tickers(exchange: "kraken", symbols: ["BTC/USD"]) {{ {} }}', ("symbol", "price", "bid", "ask")),
    ("me {{ {} bots(first: 2) {{ totalCount }} }}", ("uid", "mail")),
)


def document(index: int, tokens: int, choose: random.Random) -> str:
    """A document with about this many tokens that equals no other.

    One in four has few root fields with many aliases, which the reference executes; one in eight is invalid.
    """
    width = 60 if index % 4 == 0 else 6
    roots, size = [f"d{index}: __typename"], 5
    while size < tokens:
        shape, names = choose.choice(_ROOTS)
        count = min(width, max(1, (tokens - size) // 3))
        below = " ".join(f"f{number}: {choose.choice(names)}" for number in range(choose.randint(1, count)))
        roots.append(f"r{len(roots)}: {shape.format(below)}")
        size += len(_TOKEN.findall(roots[-1]))
    if index % 8 == 1:
        roots.append("unknown")
    text = f"query Q{index} {{ {' '.join(roots)} }}"
    return text if len(_TOKEN.findall(text)) <= LARGEST else document(index, tokens - 100, choose)


def documents(count: int, seed: int = 7) -> Iterator[str]:
    """Distinct documents, the same in every run."""
    choose = random.Random(seed)
    for index in range(count):
        yield document(index, round(SMALLEST * (LARGEST / SMALLEST) ** choose.random() ** 2), choose)


@dataclass
class Memory:
    """Resident MB of the worker, and MB of PostgreSQL's processes that they share with no other."""

    start: float
    backends_start: float
    highest: float = 0.0
    end: float = 0.0
    backends_end: float = 0.0


@dataclass
class Outcome:
    """Counts of answers by kind, seconds, memory, and milliseconds of pauses and of deliveries."""

    memory: Memory
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    pauses: Sequence[float] = ()
    used: float = 0.0
    """Processor time of the server during the longest pause: the rest of the pause it has waited for a processor."""
    most_used: float = 0.0
    """The most processor time of the server during one pause, in all threads: a bound that other load does not move."""
    own_delay: float = 0.0
    """The longest delay of the probe itself: a pause that is not longer may be one of the machine."""
    deliveries: Sequence[float] = ()


def measure_documents(*, count: int, clients: int) -> None:
    """Measure and print the report."""
    print(f"{len(CORES)} cores; {count} documents from {clients} clients, {SOCKETS} sockets; {quiet()}.\n", flush=True)
    with (
        stores() as data,
        server(OURS.title, OURS.command(), {"SOCKETS_PER_USER": "1000"}, data) as each,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(_measure(each, data, count, clients))
    print(_report(found, count))


async def _measure(each: Server, data: Stores, count: int, clients: int) -> Outcome:
    async with connect(data.settings.redis_url, data.settings, "benchmark") as redis:
        await publish(redis, ["S0"])
        counted = Counted()
        listeners = await listen(each, [ticker_subscription("S0")] * SOCKETS, counted)
        texts = documents(count)
        await _ask_all(each, documents(20, seed=1), clients, Counter())  # opens the pools
        found = Outcome(Memory(_resident(each), await _backends(data)))
        publishing = asyncio.create_task(keep_publishing(redis, ["S0"], TICKERS))
        watching = asyncio.create_task(_watch(each, found.memory))
        with _probe(each) as probe:
            counted.measuring, started = True, time.monotonic()
            await _ask_all(each, texts, clients, found.answers)
            counted.measuring, found.seconds = False, time.monotonic() - started
            probe.send(None)
            waits, found.own_delay = await asyncio.to_thread(probe.recv)
            found.pauses = [wait for wait, _ in waits]
            found.used, found.most_used = max(waits)[1], max(used for _, used in waits)
        for task in (publishing, watching):
            task.cancel()
        await asyncio.wait([publishing, watching])
        for listener in listeners:
            listener.close()
    found.memory.end, found.memory.backends_end = _resident(each), await _backends(data)
    found.deliveries = [delay * 1000 for delay in counted.delays]
    return found


async def _ask_all(each: Server, texts: Iterator[str], clients: int, answers: Counter[str]) -> None:
    address = urlsplit(each.url)

    async def client() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for text in texts:
            async with asyncio.timeout(PATIENCE):
                writer.write(_request(each, json.dumps({"query": text})))
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
            code = re.search(rb'"code":"(\w+)"', body)
            answers[code[1].decode() if code else "data"] += 1
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))


async def _watch(each: Server, memory: Memory) -> None:
    while True:
        memory.highest = max(memory.highest, _resident(each))
        await asyncio.sleep(0.1)


def _resident(each: Server) -> float:
    return float(each.process.memory_info().rss) / 1e6


async def _backends(data: Stores) -> float:
    total = 0.0
    for url in (data.settings.database_url, data.settings.ohlcv_database_url):
        connection = await asyncpg.connect(url)
        pids = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name LIKE 'fullon_graphql:%'"
        )
        await connection.close()
        total += sum(psutil.Process(row["pid"]).memory_full_info().uss for row in pids) / 1e6
    return total


@contextmanager
def _probe(each: Server) -> Iterator[Connection]:
    """A process that asks until it receives a message; it answers with its measurements, in milliseconds."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_ask_for_life, args=(each.url, each.process.pid, there), daemon=True
    )
    process.start()
    there.close()  # so that its end is noticed here
    here.recv()
    yield here
    process.join()


def _ask_for_life(url: str, pid: int, pipe: Connection) -> None:
    connection, server, waits, own = HTTPConnection(urlsplit(url).netloc), psutil.Process(pid), [], 0.0
    _ask(connection)  # the first answer opens the connection and builds the routes
    pipe.send(None)
    due = time.monotonic()
    while not pipe.poll():
        due = max(due + PROBE_SECONDS, time.monotonic() - PROBE_SECONDS)
        time.sleep(max(0.0, due - time.monotonic()))
        started = time.monotonic()
        own, used = max(own, started - due), server.cpu_times()
        _ask(connection)
        now = server.cpu_times()
        used_ms = (now.user + now.system - used.user - used.system) * 1000
        waits.append(((time.monotonic() - started) * 1000, used_ms))
    pipe.send((waits, own * 1000))


def _ask(connection: HTTPConnection) -> None:
    connection.request("GET", "/health/live")
    with connection.getresponse() as response:
        response.read()


def _report(found: Outcome, count: int) -> str:
    memory, hundredths = found.memory, [quantiles(values, n=100)[98] for values in (found.pauses, found.deliveries)]
    rows = [
        ["resident MB of the worker at the start", number(memory.start)],
        ["at most", number(memory.highest)],
        ["at the end", number(memory.end)],
        ["MB of PostgreSQL's connections at the start", number(memory.backends_start)],
        ["at the end", number(memory.backends_end)],
        ["`/health/live`, p99 ms", number(hundredths[0])],
        ["longest, ms", number(max(found.pauses))],
        ["processor time of the server during the longest, ms", number(found.used)],
        ["the most during any answer, ms", number(found.most_used)],
        ["longest delay of the probe itself, ms", number(found.own_delay)],
        [f"a ticker to {SOCKETS} sockets, p99 ms", number(hundredths[1])],
        ["longest, ms", number(max(found.deliveries))],
        ["documents per second", number(count / found.seconds)],
    ]
    answers = ", ".join(f"{kind} {times}" for kind, times in found.answers.most_common())
    budgets = (
        (f"{memory.highest:.0f} MB resident", memory.highest <= MOST_MEMORY, f"{MOST_MEMORY:.0f}"),
        (f"a pause of {max(found.pauses):.0f} ms", max(found.pauses) <= MOST_PAUSE, f"{MOST_PAUSE:.0f}"),
        (f"{found.most_used:.0f} ms of processor time", found.most_used <= MOST_PAUSE, f"{MOST_PAUSE:.0f}"),
    )
    kept = [f"Budget {'kept' if is_kept else 'MISSED'}: {what}, at most {most}." for what, is_kept, most in budgets]
    return "\n\n".join([table(["", ""], rows), f"Answers: {answers}.", *kept])
