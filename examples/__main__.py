"""Run every example, or those that are named, against a demo that is started for them, and print a table.

    .venv/bin/python -m examples [EXAMPLE ...]

FULLON_URL names a running server to use instead. The exit code is 1 if an example has failed.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

FOLDER = Path(__file__).parent
START_SECONDS = 180
EXAMPLE_SECONDS = 120


def main(*names: str) -> None:
    examples = [FOLDER / name for name in names] or sorted(FOLDER.glob("[0-9]*.py"))
    if "FULLON_URL" in os.environ:
        failed = run_all(examples, {})
    else:
        with demo() as environment:
            failed = run_all(examples, environment)
    sys.exit(1 if failed else 0)


def run_all(examples: list[Path], environment: Mapping[str, str]) -> int:
    """Run the examples one after the other, with variables that name the server; the number of those that failed."""
    failed = 0
    for example in examples:
        start = time.monotonic()
        output, succeeded = run(example, environment)
        print(f"{example.name:32} {time.monotonic() - start:6.1f} s  {'ok' if succeeded else 'failed'}", flush=True)
        if not succeeded:
            failed += 1
            print(output)
    print(f"{len(examples)} examples, {failed} failed")
    return failed


def run(example: Path, environment: Mapping[str, str]) -> tuple[str, bool]:
    """The output of an example, and whether it has succeeded."""
    try:
        ended = subprocess.run(  # noqa: S603  # a file of this folder
            [sys.executable, example],
            env=os.environ | environment | {"PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=EXAMPLE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return f"{(error.output or b'').decode()}\nno end after {EXAMPLE_SECONDS} seconds", False
    return ended.stdout.decode(), ended.returncode == 0


@contextmanager
def demo() -> Iterator[Mapping[str, str]]:
    """The variables that name a demo with data of its own, which ends with the block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "fullon_graphql.cli", "demo", "--port", str(port), "--no-pages"]
    with tempfile.TemporaryDirectory(prefix="fullon-") as home, Path(home, "demo.log").open("w+") as log:
        process = subprocess.Popen(  # noqa: S603  # our own command
            command, env=os.environ | {"FULLON_HOME": home}, stdout=log, stderr=log
        )
        try:
            if not is_ready(url, process):
                log.seek(0)
                sys.exit(f"The demo has not started:\n{log.read()}")
            yield {"FULLON_URL": url, "FULLON_HOME": home}
        finally:
            process.terminate()
            process.wait(timeout=60)


def is_ready(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the server is ready; false if it ends, or takes too long."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            if httpx.get(f"{url}/health/ready", timeout=5).is_success:
                return True
        except httpx.TransportError:
            time.sleep(0.5)
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
