"""A server on its core, with processor time and memory as counted by the kernel."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import psutil

from benchmarks.machine import HERE, on_all_cores, on_the_servers_core
from benchmarks.stores import Stores

PATIENCE = 60.0
"""Seconds for a server to start."""


@dataclass(frozen=True)
class Server:
    """A running server that answers GraphQL at `url`, on behalf of the holder of `token`."""

    name: str
    url: str
    token: str
    process: psutil.Process

    def ask(self, document: str) -> Any:
        """The `data` of one answer.

        Raises:
            RuntimeError: it is an error; the message has all of it.
        """
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.token}"}
        body = json.dumps({"query": document}).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, body, headers), timeout=PATIENCE) as reply:
                answer = json.load(reply)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{self.name} answers {error.code}: {error.read().decode()}") from error
        if answer.get("errors"):
            raise RuntimeError(f"{self.name} answers with errors: {answer['errors']}")
        return answer["data"]

    def at(self, path: str) -> Server:
        """The same server with another address, which is read with GET."""
        return replace(self, url=urljoin(self.url, path))

    def get(self) -> Any:
        """The answer of `url` to GET; errors raise."""
        request = urllib.request.Request(self.url, headers={"authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return json.load(reply)

    @property
    def address(self) -> tuple[str, int]:
        """Its host and port."""
        found = urlsplit(self.url)
        assert found.hostname
        assert found.port
        return found.hostname, found.port

    @property
    def peak_memory(self) -> float:
        """Its peak resident memory in MB."""
        return sum(_peak(process.pid) for process in _tree([self.process])) / 1024


@contextmanager
def server(
    name: str, command: list[str], environment: dict[str, str], stores: Stores, *, alone: bool = True
) -> Iterator[Server]:
    """Start a server on the stores; `{port}` in the command becomes its port. `alone`: on its own core."""
    port = _free_port()
    command = (on_the_servers_core if alone else on_all_cores)([part.format(port=port) for part in command])
    everything = os.environ | stores.environment | {"PORT": str(port)} | environment
    with subprocess.Popen(command, cwd=HERE.parent, env=everything) as process:
        try:
            _wait_until_it_listens(process, name, port)
            yield Server(name, f"http://127.0.0.1:{port}/graphql", stores.token, psutil.Process(process.pid))
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def seconds_of(processes: Sequence[psutil.Process]) -> float:
    """Processor time of these processes and their descendants, ended ones included."""
    used = 0.0
    for process in _tree(processes):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # its time is counted for its parent
            continue
        used += times.user + times.system + times.children_user + times.children_system
    return used


def _tree(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [each for process in processes for each in (process, *process.children(recursive=True))]


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_listens(process: subprocess.Popen[bytes], name: str, port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{name} does not listen; its output is above.")
