"""The graph with `gql`, a client library for Python, over HTTP and on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from gql import Client, GraphQLRequest, gql
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from graphql import GraphQLError
from redis.asyncio import Redis

from fullon_graphql.config import Settings
from tests.e2e.test_socket_life import ending
from tests.e2e.test_streams_over_http import GOLD, gauges, gold
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, bearer
from tests.fixtures.signing_in import SignIn

ME = gql("{ me { uid } }")
RENAME = "mutation ($name: String!) { updateBot(input: {botId: 1, name: $name}) { name } }"
FOREIGN = gql("{ userSummary(uid: 3) { uid } }")


def http(server: Server, token: str) -> HTTPXAsyncTransport:
    return HTTPXAsyncTransport(f"{server.url}/graphql", headers=bearer(token))


def socket(server: Server, token: str) -> WebsocketsTransport:
    return WebsocketsTransport(server.socket_url, init_payload=bearer(token))


@asynccontextmanager
async def session(
    transport: HTTPXAsyncTransport | WebsocketsTransport, *, reads_schema: bool = False
) -> AsyncIterator[AsyncClientSession]:
    async with (
        asyncio.timeout(60),
        Client(transport=transport, fetch_schema_from_transport=reads_schema) as opened,
    ):
        yield opened


async def test_queries_and_mutations_run_and_errors_have_codes(server: Server, sign_in: SignIn) -> None:
    token = await sign_in(TRADER)
    for transport in (http(server, token), socket(server, token)):
        async with session(transport) as client:
            assert await client.execute(ME) == {"me": {"uid": TRADER}}
            renamed = await client.execute(GraphQLRequest(RENAME, variable_values={"name": "renamed"}))
            assert renamed == {"updateBot": {"name": "renamed"}}
            with pytest.raises(TransportQueryError) as refusal:
                await client.execute(FOREIGN)
            assert [error["extensions"]["code"] for error in refusal.value.errors or ()] == ["NOT_FOUND"]


async def test_client_with_the_schema_validates_documents(server: Server, sign_in: SignIn) -> None:
    async with session(http(server, await sign_in(TRADER)), reads_schema=True) as client:
        assert await client.execute(ME) == {"me": {"uid": TRADER}}
        with pytest.raises(GraphQLError, match="Cannot query field 'nonsense'"):
            await client.execute(gql("{ nonsense }"))


async def test_client_receives_the_price_then_changes_until_it_completes(
    server: Server, sign_in: SignIn, redis: Redis
) -> None:
    await gold(redis, 1)
    async with session(socket(server, await sign_in(TRADER))) as client:
        async with aclosing(client.subscribe(gql(GOLD))) as prices:
            for price in (1, 2, 3):
                assert await anext(prices) == {"ticker": {"price": price}}
                await gold(redis, price + 1)
        await eventually_equal(lambda: gauges(server), (0, 0, 1))


async def test_token_is_renewed_on_the_open_socket_after_the_warning(
    server: Server, sign_in: SignIn, settings: Settings
) -> None:
    token = await sign_in(TRADER)
    transport = socket(server, ending(settings, token, 50))
    async with session(transport) as client:
        await transport.ping_received.wait()
        assert transport.payloads["ping"]["type"] == "token-expiring"
        await transport.send_ping(bearer(token))
        await transport.pong_received.wait()
        assert transport.payloads["pong"]["type"] == "token-renewed"
        assert await client.execute(ME) == {"me": {"uid": TRADER}}
