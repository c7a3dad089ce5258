"""The graph with `graphql-ws`, on which other client libraries are built: on one socket, and over reconnections."""

from __future__ import annotations

import json

from redis.asyncio import Redis

from fullon_graphql.config import Settings
from tests.e2e.test_socket_life import ending
from tests.e2e.test_streams_over_http import GOLD, gauges, gold
from tests.fixtures.clients import StartClient
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server
from tests.fixtures.signing_in import SignIn

PRICES = {"query": GOLD}
ME = {"query": "{ me { uid } }"}
RENAME = {"query": 'mutation { updateBot(input: {botId: 1, name: "renamed"}) { name } }'}


def ticker_data(price: float) -> object:
    return {"data": {"ticker": {"price": price}}}


async def test_client_receives_the_price_then_changes_until_it_completes(
    start_client: StartClient, server: Server, sign_in: SignIn, redis: Redis
) -> None:
    await gold(redis, 1)
    operations = [PRICES | {"take": 3}]
    async with start_client(
        "graphql-ws.mjs", url=server.socket_url, token=await sign_in(TRADER), operations=operations
    ) as client:
        await client.receive_value("connected")
        for price in (2, 3, 4):
            assert await client.receive_value("next") == ticker_data(price - 1)
            await gold(redis, price)
        await client.receive_value("complete")
        await eventually_equal(lambda: gauges(server), (0, 0, 1))


async def test_queries_and_mutations_run_on_the_socket_and_errors_have_codes(
    start_client: StartClient, server: Server, sign_in: SignIn
) -> None:
    operations = [ME, RENAME, {"query": "{ nonsense }"}, {"query": "subscription { positions(exId: 30) { symbol } }"}]
    async with start_client(
        "graphql-ws.mjs", url=server.socket_url, token=await sign_in(TRADER), operations=operations
    ) as client:
        await client.receive_value("connected")
        for data in ({"me": {"uid": TRADER}}, {"updateBot": {"name": "renamed"}}):
            assert await client.receive_value("next") == {"data": data}
            await client.receive_value("complete")
        for code in ("GRAPHQL_VALIDATION_FAILED", "NOT_FOUND"):
            [error] = await client.receive_value("error")
            assert error["extensions"]["code"] == code


async def test_token_is_renewed_on_the_open_socket_after_the_warning(
    start_client: StartClient, server: Server, sign_in: SignIn, settings: Settings, redis: Redis
) -> None:
    token = await sign_in(TRADER)
    await gold(redis, 1)
    async with start_client("graphql-ws.mjs", url=server.socket_url, operations=[PRICES]) as client:
        await client.receive_value("needsToken")
        await client.send(ending(settings, token, 50))
        await client.receive_value("connected")
        received = [await client.receive() for _ in range(2)]
        assert sorted(received, key=str) == [{"needsToken": None}, {"next": ticker_data(1)}]
        await client.send(token)
        assert (await client.receive_value("pong"))["type"] == "token-renewed"
        await gold(redis, 2)
        assert await client.receive_value("next") == ticker_data(2)


async def test_client_reconnects_with_a_fresh_token_after_expiry(
    start_client: StartClient, server: Server, sign_in: SignIn, settings: Settings, redis: Redis
) -> None:
    token = await sign_in(TRADER)
    await gold(redis, 1)
    async with start_client("graphql-ws.mjs", url=server.socket_url, operations=[PRICES], renews=False) as client:
        for seconds in (3, 6, 12):
            await client.receive_value("needsToken")
            await client.send(ending(settings, token, seconds))
            if "connected" in (first := await client.receive()):
                break
            assert first["closed"]["code"] == 4403  # on a slow machine the token expires before it is checked
        assert await client.receive_value("next") == ticker_data(1)
        assert await client.receive_value("closed") == {"code": 4403, "reason": "The token has expired."}
        await client.receive_value("needsToken")
        await client.send(token)
        await client.receive_value("connected")
        assert await client.receive_value("next") == ticker_data(1)
        await gold(redis, 2)
        assert await client.receive_value("next") == ticker_data(2)


async def test_client_with_an_invalid_token_retries_until_it_is_valid(
    start_client: StartClient, server: Server, sign_in: SignIn
) -> None:
    async with start_client("graphql-ws.mjs", url=server.socket_url, operations=[ME]) as client:
        for _ in range(3):
            await client.receive_value("needsToken")
            await client.send("garbage")
            assert (await client.receive_value("closed"))["code"] == 4403
        await client.receive_value("needsToken")
        await client.send(await sign_in(TRADER))
        await client.receive_value("connected")
        assert await client.receive_value("next") == {"data": {"me": {"uid": TRADER}}}


async def test_client_without_a_token_gives_up(start_client: StartClient, server: Server) -> None:
    async with start_client("graphql-ws.mjs", url=server.socket_url, operations=[ME]) as client:
        await client.receive_value("needsToken")
        await client.send("garbage")
        assert (await client.receive_value("closed"))["code"] == 4403
        await client.receive_value("needsToken")
        await client.send(None)
        assert (await client.receive_value("error"))["message"] == "signed out"


async def test_client_does_not_retry_after_a_protocol_error(
    start_client: StartClient, server: Server, sign_in: SignIn
) -> None:
    token = await sign_in(TRADER)
    cases: list[tuple[str, object, int]] = [
        ("opened", {"type": "subscribe", "id": "1", "payload": ME}, 4401),
        ("connected", {"type": "nonsense"}, 4400),
        ("connected", {"type": "connection_init"}, 4429),
    ]
    for moment, message, code in cases:
        invalid_messages = {moment: json.dumps(message)}
        async with start_client(
            "graphql-ws.mjs", url=server.socket_url, token=token, operations=[PRICES], invalidMessages=invalid_messages
        ) as client:
            while "closed" not in (message := await client.receive()):
                pass
            assert message["closed"]["code"] == code
            assert (await client.receive_value("error"))["code"] == code
