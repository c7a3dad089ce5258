"""The first requests for a document, many at the same time as after a restart: everything is made once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import orjson
import pytest
from graphql import get_introspection_query

from fullon_graphql.context import Context
from fullon_graphql.engine import background
from fullon_graphql.engine.operations import Request
from fullon_graphql.engine.trace import Stage, Trace
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER

pytestmark = pytest.mark.usefixtures("platform")

CLIENTS = 50
BOTS = "{ bots { nodes { name user { mail } } } }"
NOT_PLANNED = "{ __schema { queryType { name } } bots { nodes { name } } }"


@pytest.fixture(autouse=True)
def short_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planner refuses work long before every client may wait for a task of its own."""
    monkeypatch.setattr(background, "MOST_WAITING", CLIENTS // 5)


@pytest.mark.parametrize(
    ("query", "once"),
    [
        (BOTS, {"parse", "validate", "plan", "compile"}),
        (get_introspection_query(), {"parse", "validate", "plan"}),
        (NOT_PLANNED, {"parse", "validate", "plan"}),
    ],
    ids=["plan", "introspection", "reference"],
)
async def test_equal_queries_are_planned_once(graph: GraphClient, query: str, once: set[Stage]) -> None:
    traces = [Trace() for _ in range(CLIENTS)]
    request, caller = Request(query), principal(TRADER)
    responses = await asyncio.gather(
        *(graph.operations.run(request, Context(graph.worker, caller=caller), trace) for trace in traces)
    )
    assert len({response.body for response in responses}) == 1
    assert "errors" not in orjson.loads(responses[0].body)
    for stage in once:
        assert sum(trace.executed(stage) for trace in traces) == 1, stage


async def test_equal_subscriptions_are_planned_once(graph: GraphClient) -> None:
    request = Request('subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { price } }')
    async with AsyncExitStack() as stack:
        opened = (
            stack.enter_async_context(graph.streams.subscribe(request, Context(graph.worker, caller=principal(TRADER))))
            for _ in range(CLIENTS)
        )
        assert len(await asyncio.gather(*opened)) == CLIENTS
