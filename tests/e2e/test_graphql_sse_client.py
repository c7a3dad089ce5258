"""The graph with `graphql-sse` in distinct connections mode: one response for each operation."""

from __future__ import annotations

from redis.asyncio import Redis

from tests.e2e.test_streams_over_http import GOLD, gauges, gold
from tests.fixtures.clients import StartClient
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server
from tests.fixtures.signing_in import SignIn

PRICES = {"query": GOLD}


async def test_client_receives_the_price_then_changes_until_it_completes(
    start_client: StartClient, server: Server, sign_in: SignIn, redis: Redis
) -> None:
    await gold(redis, 1)
    operations = [PRICES | {"take": 3}]
    async with start_client(
        "graphql-sse.mjs", url=f"{server.url}/graphql", token=await sign_in(TRADER), operations=operations
    ) as client:
        for price in (1, 2, 3):
            assert await client.receive_value("next") == {"data": {"ticker": {"price": price}}}
            await gold(redis, price + 1)
        await client.receive_value("complete")
        await eventually_equal(lambda: gauges(server), (0, 0, 0))


async def test_query_and_request_error_are_one_result(
    start_client: StartClient, server: Server, sign_in: SignIn
) -> None:
    operations = [{"query": query} for query in (
        "{ me { uid } }", "subscription { nonsense }", "subscription { positions(exId: 30) { symbol } }"
    )]  # fmt: skip
    async with start_client(
        "graphql-sse.mjs", url=f"{server.url}/graphql", token=await sign_in(TRADER), operations=operations
    ) as client:
        assert await client.receive_value("next") == {"data": {"me": {"uid": TRADER}}}
        await client.receive_value("complete")
        for code in ("GRAPHQL_VALIDATION_FAILED", "NOT_FOUND"):
            [error] = (await client.receive_value("next"))["errors"]
            assert error["extensions"]["code"] == code
            await client.receive_value("complete")


async def test_client_with_an_invalid_token_retries_up_to_its_limit(
    start_client: StartClient, server: Server, sign_in: SignIn, redis: Redis
) -> None:
    await gold(redis, 1)
    async with start_client(
        "graphql-sse.mjs", url=f"{server.url}/graphql", operations=[PRICES, PRICES], retryAttempts=1
    ) as client:
        for _ in range(2):
            await client.receive_value("needsToken")
            await client.send("garbage")
        assert (await client.receive_value("error"))["status"] == 401
        for token in ("garbage", await sign_in(TRADER)):
            await client.receive_value("needsToken")
            await client.send(token)
        assert await client.receive_value("next") == {"data": {"ticker": {"price": 1}}}
