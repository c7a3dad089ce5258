"""Plans answer as the reference does: named cases, one for each feature of the planner."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from fullon_graphql.auth.principal import Principal
from fullon_graphql.cache import accounts, tickers
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.context import Context
from fullon_graphql.engine.operations import Operations, Request
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER

pytestmark = pytest.mark.usefixtures("platform")

CASES = {
    "columns": "{ bots { nodes { botId name active dryRun timestamp uid } } }",
    "ids and type names": "{ __typename orders(first: 3) { __typename nodes { __typename id } } }",
    "to one": "{ orders(first: 50) { nodes { orderId side bot { name user { mail } } } } }",
    "to one that may be null": "{ symbols { nodes { symbol quote exchange { name } } } orders { nodes { account { name } } } }",
    "to many": "{ users { nodes { exchanges { name exId user { mail } catalog { name } } } } }",
    "through a table between": "{ bots { nodes { name exchanges { exId name exchangeName } } } }",
    "two columns": "{ orders(first: 2) { nodes { instrument { symbol exchange { name } } } } }",
    "nested pages": "{ bots { nodes { orders(first: 2) { edges { cursor node { orderId } } totalCount"
    " pageInfo { hasNextPage hasPreviousPage startCursor endCursor __typename } } } } }",
    "backward": "{ orders(last: 3) { nodes { orderId } pageInfo { hasNextPage hasPreviousPage startCursor } } }",
    "an empty page": "{ orders(first: 0) { nodes { orderId } edges { cursor } totalCount"
    " pageInfo { hasNextPage endCursor } } }",
    "only a count": "{ orders { totalCount } bots { nodes { orders { totalCount } } } }",
    "aliases": "{ a: bots(first: 1) { nodes { x: name y: name } } b: bots(last: 1) { n: nodes { z: botId } } }",
    "fragments": "{ bots { ...page } } fragment page on BotConnection { nodes { ...bot ... on Node { id } } }"
    " fragment bot on Bot { name ... { botId } orders(first: 1) { nodes { orderId } } orders(first: 1) { nodes { side } } }",
    "by key": "{ bot(botId: 2) { name } order(orderId: 3) { side } user(uid: 2) { mail } me { uid mail isAdmin } }",
    "by name": "{ symbol(exchange: \"bitmex\", symbol: \"BTC/USD:BTC\") { symbolId exchangeName futures } }",
    "a plain list": "{ catExchanges { name symbols { totalCount nodes { symbol } } tickers { symbol price } } }",
    "prices in rows": "{ orders(first: 9) { nodes { orderId ticker { symbol price bid spread time exchange } } } }",
    "balances and positions": "{ users { nodes { exchanges { balances { currency total free used updatedAt }"
    " positions { symbol side volume cost price fee timestamp marketPrice unrealizedPnl } } } } }",
    "tickers": "{ tickers(exchange: \"kraken\") { symbol price time } ticker(exchange: \"kraken\", symbol: \"GOLD\") { price }"
    " none: ticker(exchange: \"x\", symbol: \"y\") { price } }",
    "a foreign row": "{ bot(botId: 6) { name } }",
    "no row": "{ order(orderId: 999999) { side } }",
    "bad arguments": "{ orders(first: -1) { totalCount } }",
    "a bad cursor": "{ orders(after: \"bad\") { totalCount } }",
    "a key out of range": "{ order(orderId: 2147483647) { side } bots(first: 1) { nodes { name } } }",
    "nobody's": "{ services { name } }",
}  # fmt: skip


async def answers(graph: GraphClient, request: Request) -> tuple[Operations, Any, Any]:
    """What a plan answers, and what the reference does."""
    schema = graph.graph.core
    found = []
    for operations in (Operations(schema), Operations(schema, planning=False)):
        response = await operations.run(request, Context(graph.process, caller=graph.caller, request_id="same"))
        found.append((operations, comparable(orjson.loads(response.body))))
    (planned, first), (_, second) = found
    return planned, first, second


def comparable(body: Any) -> Any:
    """The body with its errors by path: in which order several come is chance."""
    return body | {"errors": sorted(body.get("errors", []), key=str)}


@pytest.fixture
async def live(redis: Redis) -> None:
    """Something in Redis to be asked for."""
    await tickers.write(redis, [Ticker("kraken", "BTC/USD", 101, 10, bid=100.5, ask=101.25), Ticker("kraken", "GOLD", 7, 1)])
    await accounts.write(
        redis,
        {20: [Balance(20, "USD", 10, 7, 3)], 30: []},
        {20: [Position(20, "BTC/USD", -2, 200, 100), Position(20, "other", 0, 0, 0)]},
    )


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("caller", [principal(TRADER), principal(OTHER), principal(ADMIN, admin=True)], ids=lambda c: c.mail)
@pytest.mark.parametrize("query", CASES.values(), ids=CASES.keys())
async def test_a_plan_answers_as_the_reference_does(graph: GraphClient, query: str, caller: Principal) -> None:
    _, planned, reference = await answers(graph.as_(caller), Request(query))
    assert planned == reference


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith(("a foreign", "no row", "bad", "a bad", "a key", "nobody"))])
async def test_it_is_really_planned(graph: GraphClient, name: str) -> None:
    operations, planned, _ = await answers(graph.as_(principal(TRADER)), Request(CASES[name], explain=True))
    assert operations.counts == {"planned": 1}, planned["extensions"]["explain"]["reason"]


VARIABLES: list[dict[str, Any]] = [
    {}, {"first": 2}, {"first": 2, "more": True}, {"last": 3, "more": False}, {"first": None}, {"first": 1001},
    {"first": "two"}, {"more": None},
]  # fmt: skip


@pytest.mark.parametrize("variables", VARIABLES, ids=str)
async def test_variables_and_conditions_are_understood_alike(graph: GraphClient, variables: dict[str, Any]) -> None:
    query = """query ($first: Int, $last: Int, $more: Boolean! = true) {
        bots(first: $first, last: $last) { nodes { name @include(if: $more) botId @skip(if: $more)
          orders(first: $first) @include(if: $more) { totalCount } ... @skip(if: $more) { id } } } }"""
    _, planned, reference = await answers(graph.as_(principal(TRADER)), Request(query, variables=variables))
    assert planned == reference
