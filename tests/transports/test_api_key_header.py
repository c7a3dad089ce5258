"""API keys in another header."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from fullon_graphql.auth.credentials import ApiKeyValue, credential_in_fields
from fullon_graphql.observability.request_record import headers_of
from fullon_graphql.server.request_middleware import RequestMiddleware
from fullon_graphql.transports.api_key_header import RenamedApiKeyHeader


async def _nothing(*_: Any) -> Any:
    return None


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([(b"x-my-key", b"mine"), (b"x-api-key", b"other")], ApiKeyValue("mine")),
        ([(b"x-api-key", b"other"), (b"x-my-key", b"mine")], ApiKeyValue("mine")),
        ([(b"x-api-key", b"other")], None),
    ],
)
async def test_only_the_renamed_header_is_a_credential(
    headers: list[tuple[bytes, bytes]], key: ApiKeyValue | None
) -> None:
    """In the header fields of the scope, and in those of the request's record."""
    found = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        found.extend([credential_in_fields(headers_of(scope)), credential_in_fields(dict(scope["headers"]))])

    middleware = RequestMiddleware(RenamedApiKeyHeader(app, "X-My-Key"))
    await middleware({"type": "http", "method": "GET", "path": "/", "headers": headers}, _nothing, _nothing)
    assert found == [key, key]
