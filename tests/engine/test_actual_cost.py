"""The actual cost of responses, and what an account is charged."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from fullon_graphql.auth.principal import Anonymous
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.context import Context
from fullon_graphql.engine.actual_cost import MEASURED_BYTES, SAMPLE, actual_cost
from fullon_graphql.engine.cost import OBJECT
from fullon_graphql.engine.limits import Limits
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.operations import OperationExecutor, Request
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER

pytestmark = pytest.mark.usefixtures("platform")

BOT, ORDER = opaque_ids.encode("Bot", 2), opaque_ids.encode("Order", 7)
LIMITS = Limits(cost=1_000_000)


async def answer(graph: GraphClient, request: Request, *, planning: bool = True) -> Any:
    operations = OperationExecutor(graph.graph.core, planning=planning, limits=LIMITS)
    return orjson.loads((await operations.run(request, Context(graph.worker, caller=principal(TRADER)))).body)


async def cost(graph: GraphClient, query: str, *, planning: bool = True, **variables: Any) -> dict[str, Any]:
    response = await answer(graph, Request(query, variables=variables, cost=True), planning=planning)
    assert "errors" not in response, response
    found: dict[str, Any] = response["extensions"]["cost"]
    return found


@pytest.mark.parametrize("planning", [True, False], ids=["plan", "reference"])
@pytest.mark.parametrize(
    ("query", "estimated", "actual"),
    [
        ("{ me { uid } }", OBJECT, OBJECT),
        ("{ bot(botId: 999) { name } }", OBJECT, 0),
        ("{ bots(first: 40) { nodes { name } } }", 41 * OBJECT, 6 * OBJECT),
        ("{ bots { edges { cursor node { name user { mail } } } pageInfo { endCursor } totalCount } }", 101 * OBJECT + 50,
         11 * OBJECT + 50),
        ('{ tickers(exchange: "kraken") { price } }', 100 * OBJECT, 2 * OBJECT),
        ('{ orders(first: 1) { nodes { ticker { price } } } }', 3 * OBJECT, 3 * OBJECT),
        (f'{{ nodes(ids: ["{BOT}", "{ORDER}", "x"]) {{ ... on Bot {{ name user {{ mail }} }} ... on Order {{ side }} }} }}',
         6 * OBJECT, 3 * OBJECT),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
async def test_actual_cost_counts_what_the_response_contains(
    graph: GraphClient, redis: Redis, query: str, estimated: int, actual: int, *, planning: bool
) -> None:
    await tickers.write(redis, [Ticker("kraken", symbol, 7, 1) for symbol in ("BTC/USD", "GOLD")])
    found = await cost(graph, query, planning=planning)
    assert (found["estimated"], found["actual"], found["limit"]) == (estimated, actual, LIMITS.cost)


async def test_left_out_selections_cost_nothing(graph: GraphClient) -> None:
    query = "query ($all: Boolean!) { bots(first: 2) { nodes { name user @include(if: $all) { mail } } } }"
    assert (await cost(graph, query, all=True))["actual"] == 5 * OBJECT
    assert (await cost(graph, query, all=False))["actual"] == 3 * OBJECT


async def test_introspection_and_large_responses_are_not_measured(graph: GraphClient) -> None:
    assert (await cost(graph, "{ __schema { queryType { name } } me { uid } }"))["actual"] is None
    assert actual_cost([], b" " * MEASURED_BYTES + b"{}") is None


async def test_mutation_reports_its_cost(graph: GraphClient) -> None:
    query = 'mutation { updateBot(input: {botId: 2, name: "new"}, dryRun: true) { name user { mail } } }'
    assert (await cost(graph, query))["actual"] == 2 * OBJECT


async def test_cost_is_reported_only_if_asked_for(graph: GraphClient) -> None:
    assert await answer(graph, Request("{ me { uid } }")) == {"data": {"me": {"uid": TRADER}}}


async def test_account_is_charged_the_estimate(graph: GraphClient) -> None:
    first, second = [await cost(graph, "{ bots(first: 40) { nodes { name } } }") for _ in range(2)]
    assert first["remaining"] - second["remaining"] == 41 * OBJECT
    assert 1 <= second["resetSeconds"] <= 60


async def test_one_response_of_a_sample_is_measured_for_the_metrics(graph: GraphClient) -> None:
    operations = OperationExecutor(graph.graph.core)
    context = Context(graph.worker, caller=Anonymous())
    for _ in range(2 * SAMPLE):
        await operations.run(Request("{ __typename }"), context.fork())
    families = text_string_to_metric_families(operations.metrics.text().decode())
    counts = {s.labels["kind"]: s.value for f in families for s in f.samples if s.name.endswith("operation_cost_count")}
    assert counts == {"estimated": 2 * SAMPLE, "actual": 2}
