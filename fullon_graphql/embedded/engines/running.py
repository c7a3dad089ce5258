"""Both engines of one data folder, for as long as a block runs."""

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
    """Where they are, in the form in which `Settings` wants it."""

    database_url: str
    ohlcv_database_url: str
    redis_url: str


@contextmanager
def running_engines(home: Path, *, durable: bool = True) -> Iterator[Engines]:
    """PostgreSQL with the two databases, and Redis, with their data in `home`.

    They are stopped when the block ends: by its end, an exception, Ctrl-C, SIGTERM or SIGHUP. Engines that a killed
    run has left running are taken over. Must not be entered inside an event loop.

    Raises:
        EngineError: one line that says what is in the way.
    """
    with (
        locked(home),
        ended_in_order(),
        socket_folder(home) as sockets,
        postgres.postgres(home / "postgres", sockets, durable=durable),
        redis.redis(home / "redis", sockets, durable=durable),
    ):
        found = Engines(
            postgres.address(sockets, DATABASE),
            postgres.address(sockets, OHLCV_DATABASE),
            redis.address(sockets),
        )
        create_databases(found.database_url, found.ohlcv_database_url)
        try:
            yield found
        finally:
            _be_deaf()


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Inside the block, SIGTERM and SIGHUP raise SystemExit, so that every `finally` runs as it does on Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not ours to handle here
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in (signal.SIGTERM, signal.SIGHUP):
        if before[number] is not signal.SIG_IGN:  # e.g. under nohup
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    _be_deaf()
    raise SystemExit(128 + number)


def _be_deaf() -> None:
    """An impatient second Ctrl-C must not leave engines behind; stopping them takes well below a second."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
