"""One limit over every transport, counted per credential."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from tests.fixtures.rows import OTHER, TRADER
from tests.fixtures.server import Server, StartInProcess, StartServer, bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import socket

LIMIT = 5
ME = {"query": "{ me { uid } }"}
STREAM = {"query": "subscription { botStatus { status } }"}


@pytest.fixture
async def server(start_in_process: StartInProcess) -> AsyncIterator[Server]:
    async with start_in_process(RATE_LIMIT_REQUESTS=str(LIMIT), RATE_LIMIT_WINDOW="3600") as server:
        yield server


async def spend(server: Server, token: str, count: int = LIMIT) -> None:
    for _ in range(count):
        assert (await server.ask(ME["query"], token))["data"]


async def test_every_transport_enforces_the_limit(server: Server, sign_in: SignIn) -> None:
    token = await sign_in(TRADER)
    async with socket(server) as client:
        await client.sign_in({"authorization": f"Bearer {token}"})
        await spend(server, token)
        await client.send("subscribe", id="1", payload=ME)
        message = await client.receive()
    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "RATE_LIMITED")
    assert message["payload"][0]["extensions"]["limit"] == LIMIT

    async with httpx.AsyncClient(base_url=server.url, headers=bearer(token), timeout=30) as browser:
        graph = await browser.post("/graphql", json=ME)
        stream = await browser.post("/graphql", json=STREAM, headers={"accept": "text/event-stream"})
        rest = await browser.get("/api/v1/orm/users/me")
        assert (await browser.get("/health/live")).status_code == 200
    assert [response.status_code for response in (graph, stream, rest)] == [429] * 3
    for response in (graph, stream, rest):
        assert 1 <= int(response.headers["retry-after"]) <= 3600
        assert re.fullmatch(r'"requests";r=0;t=[0-9]+', response.headers["ratelimit"])
        assert response.headers["ratelimit-policy"] == f'"requests";q={LIMIT};w=3600'
    assert graph.json()["errors"][0]["extensions"]["limit"] == LIMIT
    assert rest.json()["error"]["code"] == "RATE_LIMITED"


async def test_other_credentials_are_not_affected(server: Server, sign_in: SignIn) -> None:
    await spend(server, await sign_in(TRADER))
    response = await server.post(ME["query"], bearer(await sign_in(OTHER)))
    assert response.headers["ratelimit"].startswith(f'"requests";r={LIMIT - 1};')


async def test_login_counts_for_the_address(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        for _ in range(LIMIT):
            assert (await client.post("/api/v1/auth/login", data={"username": "x"})).status_code == 422
        assert (await client.post("/api/v1/auth/login", data={"username": "x"})).status_code == 429


async def test_other_origins_may_read_the_headers(start_in_process: StartInProcess) -> None:
    async with start_in_process(CORS_ORIGINS='["https://app.example"]') as server:
        response = await server.post(ME["query"], {"origin": "https://app.example"})
    exposed = response.headers["access-control-expose-headers"].lower()
    assert {"x-request-id", "retry-after", "ratelimit", "ratelimit-policy"} == set(exposed.split(", "))


async def test_cost_per_minute_is_limited_over_http_and_sockets(start_server: StartServer, sign_in: SignIn) -> None:
    query, cost = "{ bots(first: 9) { nodes { name } } }", 100
    async with start_server(COST_LIMIT="150", COST_LIMIT_PER_MINUTE="150") as server:
        token = await sign_in(TRADER)
        async with socket(server) as client:
            await client.sign_in({"authorization": f"Bearer {token}"})
            assert "errors" not in await server.ask(query, token)
            errors = (await server.ask(query, token))["errors"]
            await client.subscribe("1", query)
            errors += (await client.receive())["payload"]
            await client.subscribe(
                "2", "subscription { orders { order { side bot { name } user { orders { nodes { side } } } } } }"
            )
            errors += (await client.receive())["payload"]
            async with httpx.AsyncClient(base_url=server.url, timeout=30) as browser:
                metrics = (await browser.get("/metrics")).text
    assert [error["extensions"]["code"] for error in errors] == ["RATE_LIMITED", "RATE_LIMITED", "QUERY_TOO_COMPLEX"]
    for error in errors[:2]:
        assert (error["extensions"]["limit"], error["extensions"]["cost"]) == (150, cost)
        assert 1 <= error["extensions"]["retryAfter"] <= 60
    assert 'fullon_graphql_limits_total{limit="COST_LIMIT_PER_MINUTE"} 2.0' in metrics
    assert 'fullon_graphql_operation_cost_sum{kind="estimated"} 100.0' in metrics


async def test_every_transport_reports_the_cost_if_asked_for(
    start_in_process: StartInProcess, sign_in: SignIn, redis: Redis
) -> None:
    asked = {"extensions": {"cost": True}}
    await tickers.write(redis, [Ticker("kraken", "BTC/USD", 7, 1)])
    stream = {"query": 'subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { price } }'}
    async with start_in_process() as server:
        headers = bearer(await sign_in(TRADER))
        async with (
            socket(server, headers) as client,
            httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30) as browser,
        ):
            await client.sign_in()
            await client.send("subscribe", id="1", payload=ME | asked)
            answers = [(await browser.post("/graphql", json=ME | asked)).json(), (await client.receive())["payload"]]
            await client.receive()
            await client.send("subscribe", id="2", payload=stream | asked)
            event = (await client.receive())["payload"]
    for answer in answers:
        assert (answer["extensions"]["cost"]["estimated"], answer["extensions"]["cost"]["actual"]) == (10, 10)
    assert event["data"] == {"ticker": {"price": 7.0}}
    assert event["extensions"]["cost"] == {"estimated": 10, "actual": 10, "limit": 1_000_000}
