"""How uvicorn is run, by `serve` and by the demo alike."""

from __future__ import annotations

import socket
from typing import Any

import typer
import uvicorn

SHUTDOWN_SECONDS = 5
"""How long open requests and sockets may take to end before they are cut off."""


def reserve(host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything slow is started. A port that is busy is one line and exit code 1."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        typer.secho(f"{host}:{port} cannot be used: {error.strerror}. Choose another port.", fg="red", err=True)
        raise typer.Exit(1) from error
    listening.set_inheritable(True)
    return listening


def uvicorn_config(app: Any, **options: Any) -> uvicorn.Config:
    """The one configuration: the fast loop and parsers, no per-message compression, logs in our own form."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        **options,
    )
