"""Runs both engines of a data folder for the duration of a block."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from fullon_graphql.embedded.engines import postgres, redis
from fullon_graphql.embedded.engines.data_folder import locked, socket_folder
from fullon_graphql.models.migrate import create_databases

DATABASE = "fullon2"
OHLCV_DATABASE = "fullon_ohlcv2"


@dataclass(frozen=True, slots=True)
class Engines:
    """The addresses of running engines, as in `Settings`."""

    database_url: str
    ohlcv_database_url: str
    redis_url: str


@contextmanager
def running_engines(home: Path, *, durable: bool = True) -> Iterator[Engines]:
    """PostgreSQL with its two databases, and Redis, with their data in `home`.

    They are stopped when the block ends, also by an exception, Ctrl-C, SIGTERM or SIGHUP. Engines that a killed run
    left running are taken over. Must not be entered inside an event loop.

    Raises:
        EngineError: an engine cannot be started.
    """
    with (
        locked(home),
        raising_on_signals(),
        socket_folder(home) as sockets,
        postgres.postgres(home / "postgres", sockets, durable=durable),
        redis.redis(home / "redis", sockets, durable=durable),
    ):
        engines = Engines(
            postgres.address(sockets, DATABASE),
            postgres.address(sockets, OHLCV_DATABASE),
            redis.address(sockets),
        )
        create_databases(engines.database_url, engines.ohlcv_database_url)
        try:
            yield engines
        finally:
            _ignore_signals()


@contextmanager
def raising_on_signals() -> Iterator[None]:
    """In the block, SIGTERM and SIGHUP raise SystemExit, so that every `finally` runs, as on Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can handle signals
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in (signal.SIGTERM, signal.SIGHUP):
        if before[number] is not signal.SIG_IGN:  # e.g. under nohup
            signal.signal(number, _raise_exit)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise_exit(number: int, frame: FrameType | None) -> None:
    del frame
    _ignore_signals()
    raise SystemExit(128 + number)


def _ignore_signals() -> None:
    """Ignore further signals while the engines stop, which takes less than a second."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
