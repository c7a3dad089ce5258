"""A closed loop of clients, each with its connection: by wrk if it is installed."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from statistics import quantiles
from urllib.parse import urlsplit

import uvloop

from benchmarks.machine import HERE
from benchmarks.servers import Server


@dataclass(frozen=True)
class Load:
    """The measurements of the clients: answers, duration, and milliseconds per answer."""

    requests: int
    seconds: float
    p50: float
    p99: float
    failed: int


def load(server: Server, documents: Sequence[str], clients: int, seconds: int) -> Load:
    """Ask `documents` in rotation for some seconds; without any, get the server's address.

    Raises:
        RuntimeError: an answer was invalid.
    """
    bodies = [json.dumps({"query": document}) for document in documents]
    found = (
        _by_wrk(server, bodies, clients, seconds)
        if shutil.which("wrk")
        else _by_asyncio(server, bodies, clients, seconds)
    )
    if found.failed:
        raise RuntimeError(f"{server.name}: {found.failed} of {found.requests} answers are invalid.")
    return found


def _by_wrk(server: Server, bodies: Sequence[str], clients: int, seconds: int) -> Load:
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(f"{body}\n" for body in bodies)
        file.flush()
        headers = ["-H", "content-type: application/json", "-H", f"authorization: Bearer {server.token}"]
        options = ["--threads", "1", "--connections", str(clients), "--duration", f"{seconds}s"]
        command = ["wrk", *options, *headers, "--script", str(HERE / "load.lua"), server.url, "--", file.name]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return Load(**json.loads(ran.stdout.splitlines()[-1]))


def _by_asyncio(server: Server, bodies: Sequence[str], clients: int, seconds: int) -> Load:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_clients(server, bodies, clients, seconds))


async def _clients(server: Server, bodies: Sequence[str], clients: int, seconds: int) -> Load:
    host = urlsplit(server.url)
    requests = cycle([_request(server, body) for body in bodies] or [_get(server)])
    started = time.perf_counter()
    deadline = started + seconds
    waits, failed = [], 0
    for answers in await asyncio.gather(
        *(_client(str(host.hostname), int(host.port or 80), requests, deadline) for _ in range(clients))
    ):
        waits += [wait for wait, _ in answers]
        failed += sum(not good for _, good in answers)
    spent = time.perf_counter() - started
    percentiles = quantiles(waits, n=100) if len(waits) > 1 else waits * 99
    return Load(len(waits), spent, percentiles[49] * 1e3, percentiles[98] * 1e3, failed)


async def _client(host: str, port: int, requests: Iterator[bytes], deadline: float) -> list[tuple[float, bool]]:
    """The answers on one connection: the seconds of each, and whether it was valid."""
    reader, writer = await asyncio.open_connection(host, port)
    answers = []
    try:
        while (sent := time.perf_counter()) < deadline:
            writer.write(next(requests))
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            answers.append((time.perf_counter() - sent, head.startswith(b"HTTP/1.1 200")))
    finally:
        writer.close()
    return answers


def _request(server: Server, body: str) -> bytes:
    return (
        f"POST {urlsplit(server.url).path} HTTP/1.1\r\nhost: {urlsplit(server.url).netloc}\r\n"
        f"content-type: application/json\r\nauthorization: Bearer {server.token}\r\n"
        f"content-length: {len(body.encode())}\r\n\r\n{body}"
    ).encode()


def _get(server: Server) -> bytes:
    address = urlsplit(server.url)
    target = f"{address.path}?{address.query}" if address.query else address.path
    return (f"GET {target} HTTP/1.1\r\nhost: {address.netloc}\r\nauthorization: Bearer {server.token}\r\n\r\n").encode()


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0])
