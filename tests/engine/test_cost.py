"""Cost of one request: the number of statements and round trips does not depend on the number of rows."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import tickers
from fullon_graphql.cache.client import recorded_commands
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.context import Context
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.engine.trace import Trace
from tests.conftest import Count
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN

pytestmark = pytest.mark.usefixtures("platform")

ACROSS_ALL_STORES = """query ($bots: Int!, $orders: Int!) {
  users { nodes { mail bots(first: $bots) { nodes { name
    orders(first: $orders) { totalCount nodes { orderId instrument { symbol } ticker { price } } } } } } }
}"""


async def test_number_of_statements_does_not_depend_on_the_number_of_rows(
    graph: GraphClient, redis: Redis, statements: Count, redis_calls: Count
) -> None:
    await tickers.write(redis, [Ticker("kraken", "BTC/USD", 101.0, 1.0)])
    admin = graph.as_(principal(ADMIN, admin=True))
    costs, orders = [], []
    for bots, per_bot in ((1, 1), (50, 50)):
        with statements() as sql, redis_calls() as trips:
            data = await admin.data(ACROSS_ALL_STORES, bots=bots, orders=per_bot)
        costs.append((len(sql), len([trip for trip in trips if "HMGET" in str(trip)])))
        orders.append([o for u in data["users"]["nodes"] for b in u["bots"]["nodes"] for o in b["orders"]["nodes"]])
    assert [len(found) for found in orders] == [2, 45]
    assert all(order["ticker"] == {"price": 101.0} for found in orders for order in found)
    # One statement each for users, bots, orders, their counts and instruments; one round trip for all tickers.
    assert costs == [(1, 1), (1, 1)]


COSTS = {
    "{ orders(first: $n) { nodes { trades { tradeId order { orderId } } bot { name } ticker { price } } } }": (1, 1),
    "{ trades(first: $n) { nodes { exchange order { bot { user { mail } } } account { name } instrument { base } } } }": (1, 0),
    "{ bots(first: $n) { nodes { strategies { catalog { params { name } } params { value } feeds { symbol { symbol } } }"
    " simulations { json } dryTrades(first: $n) { totalCount nodes { price } } logs(last: $n) { nodes { message } } } } }": (1, 0),
    "{ bots(first: $n) { nodes { status { status } } } }": (1, 1),
    "{ exchanges(first: $n) { nodes { balances { total } positions { cost } blocks { botId } } } }": (1, 4),
    "{ exchanges(first: $n) { nodes { history(last: $n) { nodes { balance } } bots { name } trades { totalCount } } } }": (1, 0),
    "{ catExchanges { params { name value } symbols(first: $n) { nodes { feeds { totalCount } } } } }": (2, 0),
}  # fmt: skip
"""By operation: the number of SQL statements and Redis commands of its plan."""


@pytest.mark.parametrize(("query", "cost"), COSTS.items(), ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("rows", [1, 50])
async def test_operation_costs_the_listed_statements_and_commands(
    graph: GraphClient, statements: Count, query: str, cost: tuple[int, int], rows: int
) -> None:
    operations = OperationExecutor(graph.graph.core)
    context = Context(graph.worker, caller=principal(ADMIN, admin=True))
    commands: list[str] = []
    with statements() as sql, recorded_commands(commands):  # commands of this task, without those of background tasks
        response = await operations.run(Request(query.replace("$n", str(rows))), context, Trace())
    assert b'"errors"' not in response.body
    assert (len(sql), len(commands)) == cost
