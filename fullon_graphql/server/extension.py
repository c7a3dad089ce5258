"""The ASGI extension of our server: what a transport may do with its connection beyond ASGI's own messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, TypedDict, cast

from starlette.types import Scope

EXTENSION: Final = "fullon_graphql"
"""The key of the extension in `scope["extensions"]`."""

TrySendText: TypeAlias = Callable[[bytes], bool]
"""Sends a text message without waiting. False, and nothing is sent, if the client has no capacity or is gone."""


class ConnectionExtension(TypedDict, total=False):
    """The additions of our protocols to a connection."""

    try_send: TrySendText
    """Of a WebSocket."""
    abort: Callable[[], None]
    """Of an HTTP response: close the connection at once, without waiting for the client to read."""


def extension_of(scope: Scope) -> ConnectionExtension:
    """The extension of a connection; empty if another server runs the application."""
    return cast("ConnectionExtension", scope.get("extensions", {}).get(EXTENSION, {}))


def try_send_of(scope: Scope) -> TrySendText:
    """The `TrySendText` of this socket; under another server one that never sends."""
    return extension_of(scope).get("try_send", _never)


def _never(_text: bytes) -> bool:
    return False
