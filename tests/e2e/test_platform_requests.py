"""Existing clients first: every request that the platform's documents show is answered by the demo, by its meaning."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.embedded.demo.catalogue import PASSWORD
from fullon_graphql.transports.platform_ws.protocols import DOMAINS, GatewayProtocol
from tests.e2e.platform_requests import DOMAIN, MESSAGES, REQUESTS, Request
from tests.fixtures.demo import demo, demo_environment
from tests.fixtures.eventually import eventually
from tests.fixtures.harness import Stores
from tests.fixtures.platform_socket import platform_socket
from tests.fixtures.server import Server, bearer

__all__ = ["demo", "demo_environment"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tokens(demo: Server, stores: Stores) -> tuple[str, str]:
    """The tokens of the trader and of the administrator, once the services run and an order is reported."""
    trader, admin = [await demo.token(f"{name}@fullon", PASSWORD) for name in ("trader", "admin")]

    async def all_running() -> bool:
        async with httpx.AsyncClient(base_url=demo.url, headers=bearer(trader), timeout=30) as client:
            services = (await client.get("/health")).json()["services"]["daemons"]
            tickers = (await client.get("/api/v1/cache/tickers/kraken/active")).json()
        return set(services.values()) == {"running"} and tickers["count"] == 3

    await eventually(all_running, seconds=60)
    async with Redis.from_url(stores.redis_url) as redis:  # as the platform's account daemon reports
        await redis.hset(keys.order_status(4), "O-1", json.dumps({"status": "open", "symbol": "BTC/USD", "volume": 2}))
    return trader, admin


async def test_every_request_has_its_documented_meaning(demo: Server, tokens: tuple[str, str]) -> None:
    kept: dict[str, Any] = {}
    wrong = []
    async with httpx.AsyncClient(base_url=demo.url, timeout=60) as client:
        for request in REQUESTS:
            response = await send(client, request, tokens[request.admin], kept)
            problem = misunderstood(request, response)
            if problem:
                wrong.append(f"{request.method} {request.path} {request.params}: {problem}")
            elif request.keep:
                name, key = request.keep
                kept[name] = response.json()[key]
    assert not wrong, "\n".join(wrong)


async def test_every_operation_of_rest_is_among_the_requests(demo: Server) -> None:
    async with httpx.AsyncClient(base_url=demo.url, timeout=60) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    sent = {(request.method, absolute(request.path).rstrip("/") or "/") for request in REQUESTS}
    unsent = {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if not any(method.upper() == verb and pattern(path).fullmatch(sent_path) for verb, sent_path in sent)
    }
    assert unsent == {"GET /metrics", "GET /.well-known/jwks.json"}  # not of the platform


async def test_every_message_has_its_documented_meaning(demo: Server, tokens: tuple[str, str]) -> None:
    wrong = []
    for number, message in enumerate(MESSAGES):
        token = tokens[message.admin]
        ways: list[dict[str, Any]] = [{"token": token}, {"headers": bearer(token)}, {}]
        async with platform_socket(demo, message.path, **ways[number % 3]) as client:
            if number % 3 == 2:
                await client.send(token=token)
            answer = await client.ask(message.name, **message.params)
            update = (await client.update())[1] if message.update and answer["success"] else None
        if not answer["success"] or not message.means(answer["result"]):
            wrong.append(f"{message}: {answer}")
        elif message.update and not message.update(update):
            wrong.append(f"{message}: {update}")
    assert not wrong, "\n".join(wrong)


async def test_every_operation_of_sockets_is_among_the_messages() -> None:
    sent = {(message.path.removesuffix("/me"), message.name) for message in MESSAGES}
    gateway = {("/ws", name) for name in (*GatewayProtocol.reads, *GatewayProtocol.streams)}
    domains = {
        (f"{DOMAIN}/{name}", operation)
        for name, module in DOMAINS.items()
        for operation in (*module.READS, *module.STREAMS)
    }
    assert (gateway | domains) - sent == set()


async def test_subscribe_of_domains_and_bars(demo: Server, tokens: tuple[str, str]) -> None:
    async with platform_socket(demo, f"{DOMAIN}/tickers", tokens[0]) as client:
        for fields in ({"exchange": "kraken", "symbol": "BTC/USD"}, {"exchange": "binance", "symbols": ["BTC/USDT"]}):
            await client.send(action="subscribe", **fields)
            assert (await client.receive())["success"]
            update = await client.receive()
            assert (update["exchange"], update["price"] > 0) == (fields["exchange"], True)
            await client.send(action="unsubscribe", **fields)
            while (update := await client.receive())["action"] != "unsubscribe":
                pass
            assert update["success"]
    for path in ("/api/v1/ohlcv/ws/ohlcv", "/ws/ohlcv", "/api/v1/market/ws/ohlcv"):
        async with platform_socket(demo, path, tokens[0]) as client:
            market = {"exchange": "kraken", "symbol": "BTC/USD", "timeframe": "1m"}
            await client.send(action="subscribe", type="ohlcv_live", **market)
            assert (await client.receive())["type"] == "subscription_confirmed"
            update = await client.receive()
            assert (update["type"], update["symbol"]) == ("ohlcv_update", "BTC/USD")
            assert {"open", "high", "low", "close", "volume", "is_final"} <= update["data"].keys()


async def test_credentials_are_read_from_every_header(demo: Server, tokens: tuple[str, str]) -> None:
    async with httpx.AsyncClient(base_url=demo.url, timeout=60) as client:
        anonymous = await client.get("/api/v1/orm/users/me")
        assert (anonymous.status_code, anonymous.headers["www-authenticate"]) == (401, "Bearer")
        made = await client.post("/api/v1/orm/api_keys/me", json={"name": "header"}, headers=bearer(tokens[0]))
        key = {"x-api-key": made.json()["key"]}
        for headers in (bearer(tokens[0]), key, bearer(tokens[0]) | {"x-api-key": "ignored"}):
            assert (await client.get("/api/v1/orm/users/me", headers=headers)).json()["uid"] == 2, headers
        refused = await client.post("/api/v1/orm/bots", json={"name": "x"}, headers=key)
        assert refused.status_code == 403  # the key has the scope to read
        await client.patch(f"/api/v1/orm/api_keys/{made.json()['api_key_id']}/deactivate", headers=bearer(tokens[0]))

        async def is_rejected() -> bool:
            return (await client.get("/api/v1/orm/users/me", headers=key)).status_code == 401

        await eventually(is_rejected)


async def send(client: httpx.AsyncClient, request: Request, token: str, kept: dict[str, Any]) -> httpx.Response:
    body = {
        name: kept[value[1:-1]] if value in brackets(kept) else value for name, value in (request.json or {}).items()
    }
    return await client.request(
        request.method,
        absolute(request.path).format(**kept),
        params=request.params or None,
        json=body if request.json is not None else None,
        data=request.data,
        headers=bearer(token) if "auth/login" not in request.path else None,
    )


def brackets(kept: dict[str, Any]) -> list[str]:
    """The placeholders of kept values."""
    return [f"{{{name}}}" for name in kept]


def misunderstood(request: Request, response: httpx.Response) -> str | None:
    """The status or body that is not as documented; None if both are."""
    if response.status_code != request.status:
        return f"{response.status_code} {response.text[:300]}"
    try:
        return None if request.means(response.json()) else response.text[:300]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        return f"{error!r} in {response.text[:300]}"


def absolute(path: str) -> str:
    return path if path.startswith("/") else f"/api/v1/{path}"


def pattern(template: str) -> re.Pattern[str]:
    """A pattern for the paths of a template; only symbols may contain slashes."""
    return re.compile(
        re.sub(r"\\\{(\w+)\\\}", lambda found: ".+" if found[1] == "symbol" else "[^/]+", re.escape(template))
    )
