"""Reads the sockets of ccxt's clients.

When several messages have arrived, ccxt takes them out of the buffer of its HTTP library, which counts the bytes in it.
The count that ccxt corrects lacks the library's surcharge per message. After some thousand messages in bursts the
buffer seems to be full, and the library stops reading the socket. Here the library's own method takes every message.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from fullon_graphql.observability.redaction import reason

BURST: Final = 100
"""Messages that are handled at once; other tasks run in between."""

_ENDS: Final = {"CLOSE", "CLOSING", "CLOSED"}
"""Types of messages after which there are no others."""


def read_all_messages(client: Any) -> None:
    """Replace how the sockets of a client of ccxt are read."""
    open_socket = client.client

    def socket_of(url: str) -> Any:
        socket = open_socket(url)
        if "receive_loop" not in vars(socket):
            socket.receive_loop = partial(_begin, socket)
        return socket

    client.client = socket_of


def _begin(socket: Any) -> None:
    socket.reader = asyncio.create_task(_read(socket))  # referenced, so that it is not collected


async def _read(socket: Any) -> None:
    from ccxt.base.errors import NetworkError

    try:
        while not socket.closed():
            for _ in range(BURST):
                message = await socket.receive()
                socket.handle_message(message)
                if message.type.name in _ENDS:
                    return
            await asyncio.sleep(0)
    except Exception as error:
        socket.reject(NetworkError(reason(error)))
    else:
        socket.on_close(1006)
