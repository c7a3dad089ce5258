"""Starts, finds and stops the process of an engine, by its id."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import Any

import psutil

from fullon_graphql.embedded.engines.errors import EngineError
from fullon_graphql.embedded.engines.system_user import SystemUser

TIMEOUT = 60.0
"""Seconds an engine may take to become ready or to end; it needs most after a crash under load."""

_POLL = 0.01


def environment() -> dict[str, str]:
    """The environment of an engine. Nothing is inherited: PG* variables and locales would change its behaviour."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def start(command: Sequence[str], *, log: Path, user: SystemUser | None = None) -> psutil.Popen:
    """Start an engine with its output in `log`.

    It has a session of its own: Ctrl-C in the terminal reaches only this process, which then stops the engine.
    """
    with log.open("ab") as output:
        return psutil.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env=environment(),
            **as_user(user),
        )


def as_user(user: SystemUser | None) -> dict[str, Any]:
    """Arguments for `subprocess` to run a program as `user`."""
    return {"user": user.uid, "group": user.gid, "extra_groups": []} if user else {}


def find(pid_file: Path, folder: Path) -> psutil.Process | None:
    """The live process in `pid_file`, if its working directory is `folder`: process ids are reused."""
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return process if Path(process.cwd()) == folder.resolve() else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def wait_until_ready(process: psutil.Process, ready: Callable[[], bool], *, name: str, log: Path) -> None:
    """Return as soon as `ready()` is true.

    Raises:
        EngineError: the engine ended or took too long; the message has the end of its log.
    """
    deadline = time.monotonic() + TIMEOUT
    while not ready():
        if _ended(process):
            raise EngineError(f"{name} did not start: {last_line(log)} (its log is {log})")
        if time.monotonic() > deadline:
            raise EngineError(f"{name} is not ready after {TIMEOUT:.0f} s: {last_line(log)} (its log is {log})")
        time.sleep(_POLL)


def stop(process: psutil.Process, signal: Signals) -> None:
    """Send `signal` to `process` and wait for its end; it is killed after the timeout."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal)
    deadline = time.monotonic() + TIMEOUT
    while not _ended(process):
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(_POLL)


def _ended(process: psutil.Process) -> bool:
    if isinstance(process, psutil.Popen):
        return process.poll() is not None  # also reaps it
    with suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def last_line(log: Path) -> str:
    """The last error of an engine's log, or its last line."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    written = [line.strip() for line in lines if line.strip()]
    fatal = [line for line in written[-20:] if any(word in line for word in ("FATAL", "PANIC", "rror"))]
    return (fatal or written or ["its log is empty"])[-1]
