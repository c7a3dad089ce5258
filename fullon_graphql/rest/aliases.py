"""Paths that the platform's documents use for routes and sockets that have another path here.

One ASGI layer in front of the routers replaces them, so there are no second routes, and the OpenAPI document has none.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


def aliases(prefix: str) -> Mapping[str, str]:
    """The path prefixes that are replaced, in this order, and their replacements; `prefix` is API_PREFIX."""
    table = {
        "/api/market": f"{prefix}/ohlcv",
        "/api/orm": f"{prefix}/orm",
        "/api/cache": f"{prefix}/cache",
        "/api/tickers": f"{prefix}/cache/tickers",
        "/api/orders": f"{prefix}/orm/orders",
        "/api/trades": f"{prefix}/orm/trades",
        "/api/users": f"{prefix}/orm/users",
        f"{prefix}/market": f"{prefix}/ohlcv",
        f"{prefix}/db": f"{prefix}/orm",
        f"{prefix}/users": f"{prefix}/orm/users",
        f"{prefix}/health": "/health",
        f"{prefix}/ohlcv/api/trades": f"{prefix}/ohlcv/trades",
        f"{prefix}/ohlcv/api/candles": f"{prefix}/ohlcv/candles",
        f"{prefix}/ohlcv/api/timeseries": f"{prefix}/ohlcv/timeseries",
        f"{prefix}/ohlcv/api/exchanges": f"{prefix}/ohlcv/exchanges",
    }
    return {alias: target for alias, target in table.items() if alias != target}


class PlatformPaths:
    """ASGI layer that replaces aliases and removes a trailing slash.

    A redirect instead could cost the client its body or its credential.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._aliases = aliases(prefix)
        self._pattern = re.compile(f"(?:{'|'.join(map(re.escape, self._aliases))})(?:/|$)")

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] in {"http", "websocket"}:
            path: str = scope["path"]
            canonical = self._canonical(path)
            if canonical != path:
                scope = {**scope, "path": canonical}
        return self._app(scope, receive, send)

    def _canonical(self, path: str) -> str:
        path = path.rstrip("/") or "/"
        if not self._pattern.match(path):
            return path
        for alias, target in self._aliases.items():
            if path.startswith(alias) and path[len(alias) : len(alias) + 1] in {"", "/"}:
                path = target + path[len(alias) :]
        return path
