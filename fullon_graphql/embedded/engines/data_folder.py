"""The data folder of a demo: its lock, its sockets, and the file with which other commands find it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fullon_graphql.embedded.engines.errors import EngineError
from fullon_graphql.embedded.engines.system_user import USER_NAME

_SOCKET_PATH_LIMIT = 100
"""Longest path of a socket, in bytes: the system's limit is 104 on macOS and 108 on Linux."""


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Lock `home` for the block. The lock ends with the process, also after a crash.

    Raises:
        EngineError: another process holds it, or the folder cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / "lock").open("a+")
    except OSError as error:
        raise EngineError(f"{home} cannot be used as data folder: {error.strerror}. Set FULLON_HOME to another.") from (
            error
        )
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise EngineError(
                f"{home} is in use by process {file.read().strip()}. Stop it, or set FULLON_HOME to another folder."
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def socket_folder(home: Path) -> Iterator[Path]:
    """The folder of the sockets of `home`: inside it, or a temporary folder if its path is too long.

    Raises:
        EngineError: another user owns that temporary folder.
    """
    inside = home / "run"
    if len(os.fsencode(inside / ".s.PGSQL.5432")) <= _SOCKET_PATH_LIMIT:
        yield inside
        return
    outside = Path(tempfile.gettempdir()) / f"fullon-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
    outside.mkdir(mode=0o700, exist_ok=True)
    if not _is_ours(outside):
        raise EngineError(
            f"{outside} is needed for sockets and other users can access it. Remove it, or shorten FULLON_HOME."
        )
    try:
        yield outside
    finally:
        shutil.rmtree(outside, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    found = folder.lstat()
    owned = found.st_uid == os.geteuid() or folder.owner() == USER_NAME
    return owned and stat.S_IMODE(found.st_mode) == stat.S_IRWXU


def write_demo_env(path: Path, values: Mapping[str, str]) -> None:
    """Write `values` as a dotenv file with mode 600. Readers see the old file or the complete new one."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    with open(new, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:  # Path.open takes no opener
        file.writelines(f"{name}='{_escaped(value)}'\n" for name, value in values.items())
    new.replace(path)


def remove_demo_env(path: Path) -> None:
    """Remove the file when the demo ends, so that commands no longer use it."""
    path.unlink(missing_ok=True)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
