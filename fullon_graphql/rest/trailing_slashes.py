"""REST paths with a trailing slash, which some of the platform's clients send."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class StripTrailingSlash:
    """ASGI middleware that removes the trailing slash. A redirect could cost the client its body or its credential."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/api/") and scope["path"].endswith("/"):
            scope = dict(scope) | {"path": scope["path"].rstrip("/")}
        await self._app(scope, receive, send)
