"""The three subgraphs over one demo, behind Hive Gateway on 127.0.0.1. Ctrl-C stops all of them.

`make federation` installs what it needs and runs it. PORT is the gateway's port (4000), GATEWAY is `hive` or `apollo`,
PLANNER and STREAMS are those of gateway.config.mjs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

HERE: Final = Path(__file__).parent
PORT: Final = int(os.environ.get("PORT", "4000"))
DEMO: Final = PORT + 1
SUBGRAPHS: Final = {"orm": PORT + 2, "ohlcv": PORT + 3, "cache": PORT + 4}
START_SECONDS: Final = 180
STOP_SECONDS: Final = 30


def main() -> None:
    """Start the demo, the subgraphs and the gateway, in this order, and wait until one of them ends."""
    signal.signal(signal.SIGTERM, _exit)
    gateway = os.environ.get("GATEWAY", "hive")
    if gateway not in {"hive", "apollo"}:
        sys.exit(f"GATEWAY is {gateway!r}; it is hive or apollo.")
    try:
        with running("demo", "--no-pages", "--port", str(DEMO)) as demo:
            wait_until_ready(DEMO, demo)
            with serving("orm"), serving("ohlcv"), serving("cache"):
                urls = {name.upper(): f"http://127.0.0.1:{port}/graphql" for name, port in SUBGRAPHS.items()}
                node(["compose.mjs"], urls).wait()
                process = node([f"{gateway}.mjs"], {"PORT": str(PORT)})
                try:
                    process.wait()
                finally:
                    stop(process)
    except KeyboardInterrupt:
        print("Stopped.")


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of this project for the duration of the block, in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fullon_graphql.cli", *command],
        env={**os.environ, "LOG_LEVEL": "WARNING", "DRAIN_SECONDS": "0"},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        stop(process)


@contextmanager
def serving(subgraph: str) -> Iterator[None]:
    """A server of a subgraph, which finds the demo's stores by its FULLON_HOME."""
    port = SUBGRAPHS[subgraph]
    with running("serve", "--subgraph", subgraph, "--no-services", "--port", str(port)) as process:
        wait_until_ready(port, process)
        yield


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server on `port` is ready."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"The server on port {port} has ended; its message is above.")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    sys.exit(f"The server on port {port} was not ready within {START_SECONDS} seconds.")


def node(script: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A script of this folder."""
    return subprocess.Popen(["node", *script], cwd=HERE, env={**os.environ, **environment}, start_new_session=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process in order."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _exit(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
