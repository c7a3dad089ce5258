"""The graph with Apollo Client 4: subscriptions over graphql-ws and HTTP, and one cache for all operations."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

from fullon_graphql.database import Database
from fullon_graphql.engine.lists.opaque_ids import encode
from tests.e2e.test_streams_over_http import GOLD, gauges, gold
from tests.fixtures.clients import StartClient
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.node import Script
from tests.fixtures.order_changes import change_orders, newest_cursor
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, StartServer
from tests.fixtures.signing_in import SignIn

StartApollo = Callable[..., AbstractAsyncContextManager[Script]]


@pytest.fixture(params=["graphql-ws", "multipart"])
def start_apollo(request: pytest.FixtureRequest, start_client: StartClient) -> StartApollo:
    """`start_apollo(server, …)`: a client that subscribes over a socket or over HTTP."""

    def start(server: Server, **given: Any) -> AbstractAsyncContextManager[Script]:
        socket = {"socketUrl": server.socket_url} if request.param == "graphql-ws" else {}
        return start_client("apollo.mjs", url=f"{server.url}/graphql", **socket, **given)

    return start


def ticker_data(price: float) -> object:
    return {"ticker": {"__typename": "Ticker", "price": price}}


async def test_client_receives_the_price_then_changes_until_it_completes(
    start_apollo: StartApollo, server: Server, sign_in: SignIn, redis: Redis
) -> None:
    await gold(redis, 1)
    async with start_apollo(server, token=await sign_in(TRADER), subscriptions=[GOLD], take=3) as client:
        for price in (1, 2, 3):
            assert await client.receive_value("next") == ticker_data(price)
            await gold(redis, price + 1)
        await eventually_equal(lambda: gauges(server), (0, 0, 0))


async def test_errors_are_graphql_errors_with_our_codes(
    start_apollo: StartApollo, server: Server, sign_in: SignIn
) -> None:
    async with start_apollo(
        server,
        token=await sign_in(TRADER),
        queries=["{ me { uid } }", "{ userSummary(uid: 3) { uid } }", "{ nonsense }"],
        subscriptions=["subscription { positions(exId: 30) { symbol } }"],
    ) as client:
        assert await client.receive_value("answer") == {"me": {"__typename": "User", "uid": TRADER}}
        for code in ("NOT_FOUND", "GRAPHQL_VALIDATION_FAILED", "NOT_FOUND"):
            assert await client.receive_value("error") == [code]
        await client.receive_value("complete")


async def test_changed_order_updates_every_cached_query(
    start_apollo: StartApollo, server: Server, sign_in: SignIn, platform: Database
) -> None:
    before = await newest_cursor(platform)
    async with start_apollo(
        server,
        token=await sign_in(TRADER),
        watched=["{ order(orderId: 1) { id status } }"],
        subscriptions=[f'subscription {{ orders(after: "{before}") {{ kind order {{ id status }} }} }}'],
    ) as client:
        assert await client.receive_value("watched") == {"order": shown("open")}
        await change_orders(platform, [1])
        received = [await client.receive() for _ in range(2)]
        event = {"__typename": "OrderEvent", "kind": "UPDATED", "order": shown("filled")}
        assert {"next": {"orders": event}} in received
        assert {"watched": {"order": shown("filled")}} in received


def shown(status: str) -> object:
    return {"__typename": "Order", "id": encode("Order", 1), "status": status}


async def test_http_stream_resumes_after_a_server_restart(
    start_client: StartClient, start_server: StartServer, sign_in: SignIn, redis: Redis
) -> None:
    await gold(redis, 1)
    async with AsyncExitStack() as stack:
        async with start_server() as server:
            apollo = start_client(
                "apollo.mjs", url=f"{server.url}/graphql", token=await sign_in(TRADER), subscriptions=[GOLD]
            )
            client = await stack.enter_async_context(apollo)
            assert await client.receive_value("next") == ticker_data(1)
        async with start_server(PORT=server.port):
            assert await client.receive_value("next") == ticker_data(1)
            await gold(redis, 2)
            assert await client.receive_value("next") == ticker_data(2)
