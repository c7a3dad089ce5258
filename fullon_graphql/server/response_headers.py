"""Header fields of every HTTP response: security, and what inner layers add, e.g. the state of the rate limit."""

from __future__ import annotations

from typing import Final, TypeAlias, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullon_graphql.errors import FullonError

Header: TypeAlias = tuple[bytes, bytes]

_KEY: Final = "fullon_graphql.response_headers"

_SECURITY: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Fields of a response that does not set them itself."""

_HSTS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")
"""For one year browsers use TLS only."""


def response_headers(scope: Scope) -> list[Header]:
    """The fields that are added to the response of this request. The caller may append to the list."""
    return cast("list[Header]", scope.setdefault(_KEY, []))


def retry_after_header(error: FullonError) -> tuple[Header, ...]:
    """`Retry-After` of an error that names a time to wait, in seconds."""
    seconds = getattr(error, "retry_after", None)
    return () if seconds is None else ((b"retry-after", b"%d" % seconds),)


class ResponseHeaders:
    """ASGI middleware that adds the fields."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added: list[Header] = [_HSTS] if scope["scheme"] == "https" else []
        scope[_KEY] = added

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"] = [*message.get("headers", ()), *added]
                names = {name for name, _ in headers}
                headers += [field for field in _SECURITY if field[0] not in names]
            await send(message)

        await self._app(scope, receive, send_with_headers)
