"""Subscriptions over a real socket: authentication, the protocol, and recorded prices."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from fullon_graphql import models
from fullon_graphql.auth.api_keys import generate_key, stored_form
from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.database import Database
from tests.fixtures.eventually import eventually, eventually_equal
from tests.fixtures.rows import TRADER, add
from tests.fixtures.server import Server, bearer
from tests.fixtures.shared import shared
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import socket

ALL = 'subscription { tickers(exchange: "kraken") { symbol price bid ask } }'
GOLD = 'subscription { ticker(exchange: "kraken", symbol: "GOLD") { price instrument { base } } }'


async def test_recorded_prices_arrive_unchanged(server: Server, sign_in: SignIn, redis: Redis) -> None:
    with gzip.open(shared("market-data/kraken-ws-ticker.ndjson.gz")) as file:
        recorded = [orjson.loads(line) for line in file]
    async with socket(server) as client:
        await client.sign_in({"authorization": await sign_in(TRADER)})
        await client.subscribe("1", ALL)
        assert await client.next("1") == {"tickers": []}
        for line in recorded:
            _, values, _, symbol = line["message"]
            price, bid, ask = (float(values[name][0]) for name in ("c", "b", "a"))
            ticker = Ticker("kraken", symbol, price, line["received"], bid=bid, ask=ask, last=price)
            await tickers.write(redis, [ticker])
            assert await client.next("1") == {"tickers": [{"symbol": symbol, "price": price, "bid": bid, "ask": ask}]}
    assert len(recorded) == 18


async def test_subscriptions_that_wait_have_no_tasks(server: Server, sign_in: SignIn, redis: Redis) -> None:
    async with socket(server) as client:
        await client.sign_in({"authorization": await sign_in(TRADER)})
        await client.subscribe("0", ALL)
        assert await client.next("0") == {"tickers": []}
        before = len(asyncio.all_tasks())
        ids = [str(number) for number in range(20)]
        for id_ in ids[1:]:
            await client.subscribe(id_, ALL)
            assert await client.next(id_) == {"tickers": []}
        await eventually(lambda: len(asyncio.all_tasks()) <= before)
        await tickers.write(redis, [Ticker("kraken", "GOLD", 5.0, 1.0)])
        assert [(await client.receive())["id"] for _ in ids] == ids


async def test_every_kind_of_credential_is_accepted(server: Server, sign_in: SignIn, platform: Database) -> None:
    token, key = await sign_in(TRADER), generate_key()
    await add(platform, models.ApiKey, {"uid": TRADER, "key": stored_form(key), "name": "", "scopes": "read"})
    ways: list[tuple[dict[str, str], dict[str, object] | None]] = [
        ({}, {"authorization": token}),
        ({}, {"authorization": f"Bearer {token}"}),
        ({}, {"Authorization": f"Bearer {token}"}),
        ({}, {"headers": {"Authorization": f"Bearer {token}"}}),
        ({}, {"x-api-key": key}),
        (bearer(token), None),
        (bearer(token), {}),
        ({"x-api-key": key}, {}),
        (bearer("outdated"), {"authorization": token}),
    ]
    for headers, payload in ways:
        async with socket(server, headers) as client:
            await client.sign_in(payload)
            await client.subscribe("1", "{ me { uid } }")
            assert await client.next("1") == {"me": {"uid": TRADER}}
            assert await client.receive() == {"type": "complete", "id": "1"}


async def test_anonymous_sockets_are_closed(server: Server, sign_in: SignIn) -> None:
    token = await sign_in(TRADER)
    ways: list[tuple[dict[str, str], object]] = [
        ({}, {}),
        ({}, {"authorization": "garbage"}),
        ({}, {"authorization": f"Basic {token}"}),
        ({}, {"authorization": 7}),
        ({}, {"token": token}),
        (bearer("garbage"), {}),
        (bearer(token), {"authorization": "garbage"}),
    ]
    for headers, payload in ways:
        async with socket(server, headers) as client:
            await client.send("connection_init", payload=payload)
            assert await client.closed() == 4403, payload


async def test_protocol_violations_close_the_socket_with_their_codes(server: Server, sign_in: SignIn) -> None:
    signed_in = bearer(await sign_in(TRADER))
    async with socket(server, signed_in) as client:
        await client.subscribe("1", GOLD)
        assert await client.closed() == 4401
    async with socket(server, signed_in) as client:
        await client.sign_in()
        await client.send("connection_init")
        assert await client.closed() == 4429
    async with socket(server, signed_in) as client:
        await client.sign_in()
        await client.subscribe("1", ALL)
        await client.subscribe("1", ALL)
        assert await client.closed() == 4409
    for nonsense in (
        "{", "[]", "7", '"text"', "null", "{}", '{"type": "nothing"}', '{"type": ["ping"]}', '{"type": "complete"}',
        '{"type": "subscribe", "id": "1"}', '{"type": "subscribe", "id": [], "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": []}', '{"type": "subscribe", "id": "1", "payload": {"query": 7}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}}',
    ):  # fmt: skip
        async with socket(server, signed_in) as client:
            await client.sign_in()
            await client.connection.send(nonsense)
            assert await client.closed() == 4400, nonsense
    async with socket(server, signed_in, Subprotocol("graphql-ws")) as client:
        assert await client.closed() == 4406


async def test_pages_of_other_origins_are_refused(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with socket(server, {"origin": "https://elsewhere.example"}):
            pass
    assert refusal.value.response.status_code == 403
    async with socket(server, {"origin": server.url}):
        pass


async def test_ping_is_answered(server: Server, sign_in: SignIn) -> None:
    async with socket(server, bearer(await sign_in(TRADER))) as client:
        await client.sign_in()
        await client.send("ping", payload={"any": "thing"})
        assert (await client.receive())["type"] == "pong"


async def test_operations_on_a_socket_end_independently(server: Server, sign_in: SignIn, redis: Redis) -> None:
    await tickers.write(redis, [Ticker("kraken", "GOLD", 1, 1)])
    async with socket(server, bearer(await sign_in(TRADER))) as client:
        await client.sign_in()
        for id_ in ("a", "b"):
            await client.subscribe(id_, GOLD)
            assert await client.next(id_) == {"ticker": {"price": 1, "instrument": {"base": "GOLD"}}}
        await client.send("complete", id="a")
        await client.subscribe("c", "{ __typename }")  # its answer comes after the end of "a"
        assert await client.next("c") == {"__typename": "Query"}
        assert (await client.receive())["type"] == "complete"
        await tickers.write(redis, [Ticker("kraken", "GOLD", 2, 2)])
        assert (await client.next("b"))["ticker"]["price"] == 2
    await nobody_listens(redis)


async def nobody_listens(redis: Redis) -> None:
    channel = keys.ticker_updates("kraken", "GOLD")
    await eventually_equal(lambda: redis.pubsub_numsub(channel), [(channel, 0)])


async def test_errors_on_a_socket_have_the_usual_codes(server: Server, sign_in: SignIn) -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("subscription { nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription ($n: Float) { ticker(exchange: \"k\", symbol: \"s\", maxRate: $n) { price } }", {"n": 0}, "BAD_USER_INPUT"),
        ("subscription ($n: Float) { ticker(exchange: \"k\", symbol: \"s\", maxRate: $n) { price } }", {"n": "x"}, "BAD_USER_INPUT"),
        ("{ userSummary(uid: 3) { uid } }", {}, "NOT_FOUND"),
        ("{ services { name } }", {}, "FORBIDDEN"),
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
    ]  # fmt: skip
    for query, variables, code in cases:
        async with socket(server, bearer(await sign_in(TRADER))) as client:
            await client.sign_in()
            await client.subscribe("1", query, **variables)
            message = await client.receive()
            assert message["type"] in {"next", "error"}, message
            errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
            assert [error["extensions"]["code"] for error in errors] == [code], query
