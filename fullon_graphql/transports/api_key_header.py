"""API_KEY_HEADER_NAME: another header that carries API keys."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from fullon_graphql.observability.request_record import record_of

API_KEY_HEADER: Final = "x-api-key"


class RenamedApiKeyHeader:
    """ASGI middleware: the header `name` is read as `X-API-Key`, and `X-API-Key` itself is ignored."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app = app
        self._name = name.lower().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            headers = [self._rename(*header) for header in scope["headers"]]
            scope = {**scope, "headers": headers}
            if record := record_of(scope):
                record.headers = dict(headers)
        await self._app(scope, receive, send)

    def _rename(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        own = API_KEY_HEADER.encode()
        if name == self._name:
            return own, value
        return (b"x-ignored-api-key" if name == own else name), value
