"""The listening socket of a server."""

from __future__ import annotations

import socket

import typer


def listening_socket(host: str, port: int) -> socket.socket:
    """A listening socket, opened before anything slow starts. A busy port is one line and exit code 1."""
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
