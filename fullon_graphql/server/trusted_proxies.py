"""The address and scheme of a client behind a proxy that is trusted (FORWARDED_ALLOW_IPS)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

_FORWARDED: Final = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})


class TrustedProxies(ProxyHeadersMiddleware):
    """uvicorn's middleware. A request that no proxy has forwarded costs no coroutine."""

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:  # type: ignore[override]  # awaited only
        """Pass the connection on."""
        for name, _ in scope.get("headers", ()):
            if name in _FORWARDED:
                return super().__call__(scope, receive, send)
        return self.app(scope, receive, send)
