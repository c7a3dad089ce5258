"""GraphiQL as the page sets it up: what is in its tab Headers is sent, and comes back readable where it is no good."""

from __future__ import annotations

from redis.asyncio import Redis

from tests.e2e.test_streams_over_http import GOLD, gold
from tests.fixtures.clients import StartClient
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server
from tests.fixtures.signing_in import SignIn

ME = {"query": "{ me { uid } }"}


async def test_the_token_under_headers_goes_with_queries_and_with_subscriptions(
    start_client: StartClient, server: Server, sign_in: SignIn, redis: Redis
) -> None:
    await gold(redis, 1)
    headers = {"Authorization": f"Bearer {await sign_in(TRADER)}"}
    operations = [ME | {"headers": headers}, {"query": GOLD, "headers": headers, "take": 3}]
    async with start_client("graphiql.mjs", url=f"{server.url}/graphql", operations=operations) as client:
        assert await client.hear_of("answer") == {"data": {"me": {"uid": TRADER}}}
        for price in (1, 2, 3):
            assert await client.hear_of("answer") == {"data": {"ticker": {"price": price}}}
            await gold(redis, price + 1)


async def test_who_subscribes_without_a_good_token_is_told_at_once_why(
    start_client: StartClient, server: Server
) -> None:
    operations = [{"query": GOLD}, {"query": GOLD, "headers": {"Authorization": "Bearer garbage"}}]
    async with start_client("graphiql.mjs", url=f"{server.url}/graphql", operations=operations) as client:
        for why in ("Sign in first", "The access token is malformed"):
            [error] = (await client.hear_of("answer"))["errors"]
            assert error["message"].startswith(why)
            assert error["extensions"] == {"code": "UNAUTHENTICATED"}
