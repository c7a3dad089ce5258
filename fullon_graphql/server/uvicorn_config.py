"""The configuration of uvicorn and the supervision of its workers, for `serve` and the demo."""

from __future__ import annotations

from collections.abc import Callable
from socket import socket
from typing import Any, Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from fullon_graphql.config import Settings
from fullon_graphql.server.garbage import paused_collection
from fullon_graphql.server.protocols import HttpProtocol, SocketProtocol

WORKER_HEALTHCHECK_TIMEOUT: Final = 60
"""Seconds without an answer after which a worker is killed and replaced. On a busy machine imports take several
seconds, and a new worker would be no faster than the one it replaces."""


class Server(uvicorn.Server):
    """uvicorn's server. It calls `on_shutdown` when its shutdown begins."""

    def __init__(self, config: uvicorn.Config, on_shutdown: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self.on_shutdown = on_shutdown

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Shut down in order."""
        if self.on_shutdown:
            self.on_shutdown()
        await super().shutdown(sockets)


class Workers(Multiprocess):
    """uvicorn's supervisor. It notices at once that a worker has been killed before its first answer.

    It calls `on_shutdown` when its shutdown begins.
    """

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket], on_shutdown: Callable[[], None] | None = None
    ) -> None:
        super().__init__(config, sockets)
        self._on_shutdown = on_shutdown

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


class Config(uvicorn.Config):
    """uvicorn's configuration. The application is imported and created without garbage collections."""

    def load(self) -> None:
        """Import and create the application."""
        with paused_collection():
            super().load()


def uvicorn_config(app: Any, settings: Settings, **options: Any) -> Config:
    """Uvicorn with uvloop and httptools, without per-message compression, and with our logging."""
    return Config(
        app,
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
