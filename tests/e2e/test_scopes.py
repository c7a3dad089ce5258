"""Scopes over every face of a server: GraphQL, REST and the platform's sockets."""

from __future__ import annotations

import httpx
from redis.asyncio import Redis

from fullon_graphql.cache import tickers
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.models import ApiKey
from fullon_graphql.services.signing_in.sessions import Sessions
from tests.fixtures.platform_socket import platform_socket
from tests.fixtures.rows import ADMIN, TRADER, add
from tests.fixtures.server import Server

KEY, CONTROL_KEY = "key-with-orders-only", "key-with-control-only"
REST = [
    ("GET", "orm/orders?limit=1", 200),
    ("GET", "orm/bots", 403),
    ("GET", "orm/users/me", 403),
    ("GET", "cache/tickers/kraken", 403),
    ("GET", "cache/trades/kraken/BTC-USD", 403),
    ("GET", "ohlcv/candles/kraken/BTC-USD/1h", 403),
    ("GET", "services", 403),
    ("PATCH", "orm/bots/1", 403),
]


async def test_scopes_hold_over_graphql_rest_and_sockets(
    server: Server, platform: Database, redis: Redis, settings: Settings
) -> None:
    await add(platform, ApiKey, {"uid": TRADER, "key": KEY, "name": "n", "scopes": "orders:read"})
    await tickers.write(redis, [tickers.Ticker("kraken", "BTC/USD", 100.0, 1.0)])
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1/", headers={"x-api-key": KEY}, timeout=60) as client:
        for method, path, status in REST:
            answer = await client.request(method, path, json={"name": "x"} if method == "PATCH" else None)
            assert answer.status_code == status, (path, answer.text)
    answer = await server.post("{ orders(last: 1) { nodes { orderId bot { name } } } }", {"x-api-key": KEY})
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["FORBIDDEN"]

    signed = await Sessions(platform, redis, settings).open(TRADER, "user2@fullon", scopes={"orders:read"})
    async with platform_socket(server, "/ws", signed.access_token) as socket:
        assert await socket.refused("get_ticker", exchange="kraken", symbol="BTC/USD") == "FORBIDDEN"
        assert await socket.refused("get_bots") == "FORBIDDEN"
        await socket.ask("stream_tickers", exchange="kraken", symbol="BTC/USD")
        assert (await socket.receive())["error_code"] == "FORBIDDEN"


async def test_control_of_services_needs_no_other_scope(server: Server, platform: Database) -> None:
    await add(platform, ApiKey, {"uid": ADMIN, "key": CONTROL_KEY, "name": "n", "scopes": "services:control"})
    headers = {"x-api-key": CONTROL_KEY}
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1/", headers=headers, timeout=60) as client:
        assert (await client.get("services")).status_code == 200
        dry = await client.post("services/ticker/start?check_only=true")
        assert dry.status_code == 200, dry.text
        assert (await client.get("orm/orders")).status_code == 403
    answer = (await server.post("{ services { name state } }", headers)).json()
    assert len(answer["data"]["services"]) == 3
