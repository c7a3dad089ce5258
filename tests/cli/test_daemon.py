"""`fullon-graphql daemon`: a server in the background."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.fixtures.eventually import eventually


class Daemon:
    """The command in one data folder."""

    def __init__(self, environment: dict[str, str], home: Path) -> None:
        self.environment = environment | {"FULLON_HOME": str(home), "PORT": "0"}
        self.home = home

    async def run(self, *arguments: str) -> tuple[int | None, str]:
        """Exit code and output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fullon_graphql.cli", "daemon", *arguments,
            env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(90):
            output, _ = await process.communicate()
        return process.returncode, output.decode()


@pytest.fixture
async def daemon(environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Daemon]:
    daemon = Daemon(environment, tmp_path / "home")
    yield daemon
    await daemon.run("stop")


async def test_server_runs_in_the_background_until_it_is_stopped(daemon: Daemon) -> None:
    assert await daemon.run("status") == (3, "The server is not running.\n")
    assert await daemon.run("stop") == (0, "The server is not running.\n")
    code, output = await daemon.run("start")
    started = re.match(r"Started process (\d+), listening on (http://127\.0\.0\.1:\d+)\. Log: ", output)
    assert code == 0, output
    assert started, output
    pid, url = int(started[1]), started[2]
    async with httpx.AsyncClient(base_url=url) as client:

        async def is_alive() -> bool:
            try:
                return (await client.get("/health/live")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(is_alive, seconds=60)
    assert await daemon.run("status") == (0, f"The server is running as process {pid}, listening on {url}.\n")
    assert await daemon.run("start") == (1, f"The server is running already, as process {pid}.\n")
    code, output = await daemon.run("logs", "--lines", "5")
    assert (code, len(output.splitlines()) > 0) == (0, True)
    assert await daemon.run("stop") == (0, f"Stopped process {pid}.\n")
    assert (await daemon.run("status"))[0] == 3
    await eventually(lambda: not psutil.pid_exists(pid), seconds=20)


async def test_pid_file_of_a_killed_server_is_not_trusted(daemon: Daemon) -> None:
    code, output = await daemon.run("start")
    assert code == 0, output
    os.kill(int((daemon.home / "server.pid").read_text()), signal.SIGKILL)
    (daemon.home / "server.pid").write_text(f"{os.getpid()}\n")  # as if the system had given the PID away
    assert (await daemon.run("status"))[0] == 3
    assert await daemon.run("stop") == (0, "The server is not running.\n")
    code, output = await daemon.run("start")
    assert code == 0, output


async def test_failed_start_shows_the_reason(daemon: Daemon) -> None:
    daemon.environment |= {"JWT_SECRET_KEY": "short"}
    code, output = await daemon.run("start")
    assert code == 1
    assert "JWT_SECRET_KEY has 5 bytes" in output
    assert output.endswith("The server has not started.\n")
    assert (await daemon.run("status"))[0] == 3
