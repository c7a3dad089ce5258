"""How uvicorn is configured and its worker processes supervised, by `serve` and by the demo alike."""

from __future__ import annotations

from typing import Any, Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from fullon_graphql.config import Settings
from fullon_graphql.server.protocols import HttpProtocol, SocketProtocol

WORKER_SILENCE: Final = 60
"""Seconds without an answer after which a worker is killed and replaced. Imports on a busy machine take some of them,
and a worker that is killed for being slow is replaced by one that is no faster."""


class Workers(Multiprocess):
    """uvicorn's own, but it sees at once when a worker is killed that has not answered yet."""

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have ended, or are silent."""
        for worker in self.processes:
            worker.child_conn.close()  # the worker has its own; while ours is open, none ever sees the other's end
        super().keep_subprocess_alive()


def uvicorn_config(app: Any, settings: Settings, **options: Any) -> uvicorn.Config:
    """The one configuration: the fast loop and parsers, no per-message compression, logs in our own form."""
    return uvicorn.Config(
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
        timeout_worker_healthcheck=WORKER_SILENCE,
        **options,
    )
