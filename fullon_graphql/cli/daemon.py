"""`fullon-graphql daemon`: a server in the background, with its PID file and log in the data folder.

The server holds a lock on the PID file for as long as it lives. Therefore a file that a crash has left behind, and a
PID that the system has given to another process, are recognised.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Annotated, Final

import typer

from fullon_graphql.config import home, load_settings

app = typer.Typer(help="Run a server in the background.", no_args_is_help=True)

START_SECONDS: Final = 60
"""Seconds in which a server must listen."""
KILL_SECONDS: Final = 10
"""Seconds after DRAIN_SECONDS and SHUTDOWN_TIMEOUT until a server that has not ended is killed."""
NOT_RUNNING: Final = 3
"""Exit code of `status`, as for init scripts."""

_LISTENING: Final = re.compile(r"Listening on (\S+)")


@app.command()
def start(workers: Annotated[int, typer.Option(min=1, help="Number of worker processes.")] = 1) -> None:
    """Start `serve` in the background, and return when it listens. The log of the last run is kept as server.log.1."""
    home().mkdir(parents=True, exist_ok=True)
    with _pid_file().open("a+") as file:
        if not _lock(file, fcntl.LOCK_EX):
            _exit(f"The server is running already, as process {_read_pid()}.", 1)
        if _log_file().exists():
            _log_file().replace(_log_file().with_name("server.log.1"))
        with _log_file().open("wb") as log:
            process = subprocess.Popen(  # noqa: S603  # our own command and a number
                [sys.executable, "-m", "fullon_graphql.cli", "serve", "--workers", str(workers)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[file.fileno()],  # with it the server inherits the lock
            )
        file.truncate(0)
        file.write(f"{process.pid}\n")
    _wait(lambda: process.poll() is not None or _address() is not None, START_SECONDS)
    if process.poll() is None and (address := _address()):
        typer.echo(f"Started process {process.pid}, listening on {address}. Log: {_log_file()}")
        return
    process.kill()
    process.wait()
    _exit("".join([*_tail(20), "The server has not started."]), 1)


@app.command()
def stop() -> None:
    """Stop the server in order; kill it if it does not end in time."""
    if not _is_running():
        typer.echo("The server is not running.")
        return
    pid = _read_pid()
    os.kill(pid, signal.SIGTERM)
    settings = load_settings()
    if not _wait(lambda: not _is_running(), settings.drain_seconds + settings.shutdown_timeout + KILL_SECONDS):
        os.kill(pid, signal.SIGKILL)
        _wait(lambda: not _is_running(), KILL_SECONDS)
    _pid_file().unlink(missing_ok=True)
    typer.echo(f"Stopped process {pid}.")


@app.command()
def status() -> None:
    """Print whether the server runs; exit with 3 if it does not."""
    if not _is_running():
        _exit("The server is not running.", NOT_RUNNING)
    typer.echo(f"The server is running as process {_read_pid()}, listening on {_address() or 'no port yet'}.")


@app.command()
def logs(
    lines: Annotated[int, typer.Option(min=1, max=100_000, help="Number of lines.")] = 50,
    follow: Annotated[bool, typer.Option(help="Print new lines until Ctrl-C.")] = False,
) -> None:
    """Print the end of the log."""
    if not _log_file().exists():
        _exit(f"There is no log at {_log_file()}.", 1)
    with _log_file().open(errors="replace") as file:
        sys.stdout.writelines(deque(file, lines))
        while follow:
            sys.stdout.flush()
            time.sleep(0.2)
            sys.stdout.writelines(file)


def _pid_file() -> Path:
    return home() / "server.pid"


def _log_file() -> Path:
    return home() / "server.log"


def _lock(file: IO[str], kind: int) -> bool:
    """Lock the PID file until it is closed; false if a server holds the lock."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_running() -> bool:
    if not _pid_file().exists():
        return False
    with _pid_file().open() as file:
        return not _lock(file, fcntl.LOCK_SH) and file.read() != ""


def _read_pid() -> int:
    return int(_pid_file().read_text())


def _address() -> str | None:
    """The address in the log, once the server listens."""
    with _log_file().open(errors="replace") as file:
        found = _LISTENING.search(file.read(10_000))
    return found[1] if found else None


def _tail(lines: int) -> list[str]:
    with _log_file().open(errors="replace") as file:
        return list(deque(file, lines))


def _wait(is_done: Callable[[], bool], seconds: float) -> bool:
    """Wait until `is_done`, for at most `seconds`."""
    end = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _exit(sentence: str, code: int) -> None:
    typer.secho(sentence, fg="red", err=True)
    raise typer.Exit(code)
