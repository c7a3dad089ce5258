"""Start an engine, find one that is still running, stop it: by process id, never by name."""

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
from fullon_graphql.embedded.engines.system_user import Account

PATIENCE = 60.0
"""Seconds an engine may take to get ready or to end. Far more than it needs, except after a crash under load."""

_POLL = 0.01


def environment() -> dict[str, str]:
    """What an engine sees of ours: nothing. PG* variables and foreign locales would change how it behaves."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def start(command: Sequence[str], *, log: Path, account: Account | None = None) -> psutil.Popen:
    """Start an engine; what it says goes to `log`.

    It gets a session of its own: Ctrl-C in the terminal must reach us alone, who then stop it in order.
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
            **as_account(account),
        )


def as_account(account: Account | None) -> dict[str, Any]:
    """The arguments that make `subprocess` run something as `account`."""
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}


def find(pid_file: Path, folder: Path) -> psutil.Process | None:
    """The live process that `pid_file` names, provided that it works in `folder`: process ids are used again."""
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return process if Path(process.cwd()) == folder.resolve() else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def wait_until_ready(process: psutil.Process, ready: Callable[[], bool], *, name: str, log: Path) -> None:
    """Return as soon as `ready()`.

    Raises:
        EngineError: the engine ended or takes too long; the message quotes the end of its log.
    """
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if _ended(process):
            raise EngineError(f"{name} did not start: {last_line(log)} (its log is {log})")
        if time.monotonic() > deadline:
            raise EngineError(f"{name} is not ready after {PATIENCE:.0f} s: {last_line(log)} (its log is {log})")
        time.sleep(_POLL)


def stop(process: psutil.Process, signal: Signals) -> None:
    """Ask `process` to end and wait until it has; one that does not listen is killed."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal)
    deadline = time.monotonic() + PATIENCE
    while not _ended(process):
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(_POLL)


def _ended(process: psutil.Process) -> bool:
    if isinstance(process, psutil.Popen):
        return process.poll() is not None  # also buries it, being its parent
    with suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def last_line(log: Path) -> str:
    """The reason an engine gives at the end of its log, on one line."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    said = [line.strip() for line in lines if line.strip()]
    fatal = [line for line in said[-20:] if any(word in line for word in ("FATAL", "PANIC", "rror"))]
    return (fatal or said or ["it left no message"])[-1]
