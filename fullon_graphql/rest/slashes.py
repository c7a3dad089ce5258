"""A path of REST means the same with a slash at its end: the platform's clients write some of them so."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class Slashes:
    """Takes the slash off, so that nobody is redirected: a client that follows 307 may lose its body or its header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/api/") and scope["path"].endswith("/"):
            scope = dict(scope) | {"path": scope["path"].rstrip("/")}
        await self._app(scope, receive, send)
