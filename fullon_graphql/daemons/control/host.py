"""The services process: it runs the services of a host, apart from the workers that answer requests."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from time import monotonic
from typing import Final, TypeAlias

import structlog

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.cache.client import connect
from fullon_graphql.cache.hub import Hub
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.runner import ServiceRunner, new_runner_id
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.database import Database
from fullon_graphql.observability.loop_meter import measured_loop
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.observability.process_snapshots import shared_counts

log = structlog.get_logger(__name__)

OWNER: Final = "FULLON_SERVICES_OWNER"
"""Environment variable with the id of the process that started this one. It ends when that process has ended."""
OWNER_CHECK: Final = 0.5
"""Seconds between two checks that the owner lives."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""Seconds until a services process that died is restarted: the first pause, doubled up to the longest. A process that
has lived longer than that is restarted after the first pause."""


Companions: TypeAlias = Callable[[Resources, Hub, BackgroundTasks, Metrics], AbstractAsyncContextManager[None]]
"""Opens what runs beside the services, in the same process."""


async def run_services(settings: Settings, companions: Companions) -> None:
    """Run services and their companions until SIGTERM or SIGINT, or until the owner has ended."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with AsyncExitStack() as stack:
        database = Database.connect(settings.database_url, "services", settings)
        stack.push_async_callback(database.close)
        ohlcv_database = Database.connect(settings.ohlcv_database_url, "services", settings)
        stack.push_async_callback(ohlcv_database.close)
        redis = await stack.enter_async_context(connect(settings.redis_url, settings, "services"))
        listener = await stack.enter_async_context(connect(settings.redis_url, settings, "hub"))
        tasks = BackgroundTasks()
        hub = await stack.enter_async_context(Hub(listener, settings.redis_timeout, tasks))
        await stack.enter_async_context(measured_loop("services"))
        metrics = Metrics()
        metrics.watch_process("services", tasks, {}, hub)
        await stack.enter_async_context(shared_counts(settings, metrics, tasks))
        resources = Resources(settings, database, ohlcv_database, redis)
        await stack.enter_async_context(companions(resources, hub, tasks, metrics))
        await stack.enter_async_context(ServiceRunner(settings, resources, hub, tasks, new_runner_id()))
        await _wait_for_end(ended)


async def _wait_for_end(ended: asyncio.Event) -> None:
    owner = os.environ.get(OWNER)
    while not ended.is_set() and owner in {None, str(os.getppid())}:
        try:
            async with asyncio.timeout(OWNER_CHECK):
                await ended.wait()
        except TimeoutError:
            pass


@contextmanager
def services_process(timeout_seconds: float, environment: Mapping[str, str] | None = None) -> Iterator[ServicesProcess]:
    """Run a services process while the block runs, and restart it when it dies.

    At the end of the block it gets SIGTERM, unless `terminate` has sent it before, and SIGKILL `timeout_seconds` after
    the SIGTERM.
    """
    process = ServicesProcess(environment or {}, timeout_seconds)
    try:
        yield process
    finally:
        process.stop()


def next_pause(pause: float, lived: float) -> float:
    """Seconds until a process that has lived for `lived` seconds is restarted; `pause` was the one before its start."""
    return FIRST_PAUSE if lived > LONGEST_PAUSE else min(max(pause * 2, FIRST_PAUSE), LONGEST_PAUSE)


class ServicesProcess:
    """A services process as its owner sees it."""

    def __init__(self, environment: Mapping[str, str], timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._deadline = 0.0
        self._environment = os.environ | environment | {OWNER: str(os.getpid())}
        self._ending = threading.Event()
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep_running, name="services process", daemon=True)
        self._keeper.start()

    def terminate(self) -> None:
        """Begin the end of the process, without waiting for it. Later calls do nothing."""
        if not self._ending.is_set():
            self._deadline = monotonic() + self._timeout_seconds
            self._ending.set()
            self._process.terminate()

    def stop(self) -> None:
        """End the process."""
        self.terminate()
        try:
            self._process.wait(max(0.0, self._deadline - monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._keeper.join()

    def _start(self) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C in the terminal reaches the owner only, which then ends this process in order.
        return subprocess.Popen(
            [sys.executable, "-m", "fullon_graphql.cli", "services"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _keep_running(self) -> None:
        pause = 0.0
        while True:
            began = monotonic()
            code = self._process.wait()
            pause = next_pause(pause, monotonic() - began)
            if self._ending.wait(0 if code is None else pause):
                return
            log.error("services.process.restarted", exit_code=code)
            self._process = self._start()
            if self._ending.is_set():
                self._process.terminate()
