"""The configuration of uvicorn and the supervision of its workers, for `serve` and the demo."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from socket import socket
from time import monotonic
from types import FrameType
from typing import Any, Final

import structlog
import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.supervisors import Multiprocess, multiprocess

from fullon_graphql.config import Settings
from fullon_graphql.server.garbage import paused_collection
from fullon_graphql.server.protocols import HttpProtocol
from fullon_graphql.server.shutdown import STATE_KEY, Shutdown
from fullon_graphql.server.sockets import SocketProtocol
from fullon_graphql.server.trusted_proxies import TrustedProxies
from fullon_graphql.timers import SharedTimer

log = structlog.get_logger(__name__)

WORKER_HEALTHCHECK_TIMEOUT: Final = 60
"""Seconds without an answer after which a worker is killed and replaced. On a busy machine imports take several
seconds, and a new worker would be no faster than the one it replaces."""


REPLACED: Final = signal.SIGUSR1
"""The signal to a worker that another has replaced: it stops accepting before it drains, as they share the port."""

ACCEPTED_SECONDS: Final = 0.2
"""Seconds in which a replaced worker answers connections that it has just accepted, before it is no longer ready."""

TICK: Final = 0.1
"""Seconds between two checks that the drain has not been cut short."""


class Config(uvicorn.Config):
    """uvicorn's configuration. The application is imported and created without garbage collections."""

    drain_seconds = 0.0
    """Seconds between the begin of the shutdown and the end of accepting."""
    pings: SharedTimer
    """Of all sockets."""

    def load(self) -> None:
        """Import and create the application."""
        with paused_collection():
            super().load()
        if isinstance(self.loaded_app, ProxyHeadersMiddleware):
            self.loaded_app = TrustedProxies(self.loaded_app.app, self.forwarded_allow_ips)


class Server(uvicorn.Server):
    """uvicorn's server. It calls `on_shutdown` when its shutdown begins, and drains before it stops accepting.

    Ctrl-C (SIGINT) skips the drain.
    """

    def __init__(self, config: Config, on_shutdown: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self.on_shutdown = on_shutdown
        self.is_replaced = False
        """True if another worker accepts on the same port."""
        self._drain_seconds = config.drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the shutdown."""
        if sig == signal.SIGINT:
            self._drain_seconds = 0.0
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Drain, and shut down in order."""
        if self.on_shutdown:
            self.on_shutdown()
        if self.is_replaced:
            for each in (*self.servers, *(sockets or ())):
                each.close()
            await asyncio.sleep(ACCEPTED_SECONDS)
        await self._drain()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        """Close sockets and streams over DRAIN_SECONDS while requests are answered as before."""
        shutdown, end = self.lifespan.state.get(STATE_KEY), monotonic() + self._drain_seconds
        if not isinstance(shutdown, Shutdown) or not self._drain_seconds:
            return
        log.info("server.draining", connections=shutdown.waiting, seconds=self._drain_seconds)
        shutdown.begin(self._drain_seconds)
        ticks = 0
        while self._drain_seconds and monotonic() < end:
            await asyncio.sleep(TICK)
            await self.on_tick(ticks := ticks + 1)  # keeps the `Date` of responses


class WorkerProcess(multiprocess.Process):
    """A worker of uvicorn's supervisor, with our server."""

    is_replaced = False
    """True while a new worker accepts on the same port."""

    @property
    def server(self) -> Server:
        """The server, in the worker's process."""
        if self._server is None:
            self._server = Server(self.config)  # type: ignore[arg-type]  # the supervisor has a `Config` of ours
        return self._server  # type: ignore[return-value]  # it is ours

    def target(self, sockets: list[socket] | None = None) -> None:
        """Serve until the end of the process."""
        signal.signal(REPLACED, lambda *_: setattr(self.server, "is_replaced", True))
        super().target(sockets)

    def terminate(self) -> None:
        """Begin the shutdown of the worker."""
        if self.is_replaced and self.pid and self.exitcode is None:
            os.kill(self.pid, REPLACED)
        super().terminate()


multiprocess.Process = WorkerProcess  # type: ignore[misc]  # the supervisor has no other place for the class


class Workers(Multiprocess):
    """uvicorn's supervisor. It notices at once that a worker has been killed before its first answer.

    It calls `on_shutdown` when its shutdown begins.
    """

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket], on_shutdown: Callable[[], None] | None = None
    ) -> None:
        super().__init__(config, sockets)
        self._on_shutdown = on_shutdown

    def restart_all(self) -> None:
        """Replace one worker after the other, on SIGHUP."""
        for worker in self.processes:
            worker.is_replaced = True  # type: ignore[attr-defined]  # it is a `WorkerProcess`
        super().restart_all()
        for worker in self.processes:
            worker.is_replaced = False  # type: ignore[attr-defined]  # of those that a failed start has kept

    def terminate_all(self) -> None:
        """Begin the shutdown of all workers."""
        if self._on_shutdown:
            self._on_shutdown()
        super().terminate_all()

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have ended or do not answer."""
        for worker in self.processes:
            worker.child_conn.close()  # the worker has its own; while ours is open, we do not see that it has ended
        super().keep_subprocess_alive()


def uvicorn_config(app: Any, settings: Settings, **options: Any) -> Config:
    """Uvicorn with uvloop and httptools, without per-message compression, and with our logging."""
    config = Config(
        app,
        interface="asgi3",
        loop="uvloop",
        http=HttpProtocol,
        ws=SocketProtocol,
        ws_per_message_deflate=False,
        ws_max_size=settings.socket_message_bytes,
        ws_ping_interval=settings.socket_ping_interval,
        ws_ping_timeout=settings.socket_ping_interval,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=settings.shutdown_timeout,
        timeout_worker_healthcheck=WORKER_HEALTHCHECK_TIMEOUT,
        **options,
    )
    config.pings = SharedTimer(settings.socket_ping_interval)
    config.drain_seconds = 0.0 if config.should_reload else settings.drain_seconds
    return config
