"""The address and scheme of a client behind a proxy."""

from __future__ import annotations

from typing import Any

import pytest

from fullon_graphql.config import Settings
from fullon_graphql.server.trusted_proxies import TrustedProxies
from fullon_graphql.server.uvicorn_config import uvicorn_config

PEER, CLIENT = ("10.0.0.1", 5000), ("203.0.113.7", 0)


@pytest.mark.parametrize(
    ("trusted", "headers", "client", "scheme"),
    [
        ("10.0.0.1", [(b"x-forwarded-for", b"203.0.113.7")], CLIENT, "http"),
        ("10.0.0.1", [(b"x-forwarded-proto", b"https")], PEER, "https"),
        ("10.0.0.1", [(b"accept", b"*/*"), (b"x-forwarded-for", b"1.1.1.1, 203.0.113.7")], CLIENT, "http"),
        ("10.0.0.1", [(b"accept", b"*/*")], PEER, "http"),
        ("10.0.0.2", [(b"x-forwarded-for", b"203.0.113.7"), (b"x-forwarded-proto", b"https")], PEER, "http"),
    ],
)
async def test_fields_of_trusted_proxies_only_are_read(
    trusted: str, headers: list[tuple[bytes, bytes]], client: tuple[str, int], scheme: str
) -> None:
    seen: dict[str, Any] = {}

    async def app(scope: dict[str, Any], _receive: Any, _send: Any) -> None:
        seen.update(scope)

    config = uvicorn_config(app, Settings(), forwarded_allow_ips=trusted)
    config.load()
    assert isinstance(config.loaded_app, TrustedProxies)
    await config.loaded_app({"type": "http", "client": PEER, "scheme": "http", "headers": headers}, None, None)
    assert (seen["client"], seen["scheme"]) == (client, scheme)
