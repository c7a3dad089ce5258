"""The cost per second that open subscriptions reserve, per socket and account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from fullon_graphql.context import Context
from fullon_graphql.engine.cost import OBJECT
from fullon_graphql.engine.operations import GraphQLErrors, Request
from fullon_graphql.streaming.budget import ASSUMED_RATE, cost_per_second
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.limits import refusals
from tests.fixtures.rows import OTHER, TRADER

QUERY = 'subscription ($rate: Float) { ticker(exchange: "kraken", symbol: "BTC/USD", maxRate: $rate) { price } }'
LIMITS = ("SUBSCRIPTION_COST_PER_SOCKET", "SUBSCRIPTION_COST_PER_USER")
PER_SECOND = int(OBJECT * ASSUMED_RATE)


@pytest.fixture
def limited(graph: GraphClient) -> GraphClient:
    """A graph with room for two subscriptions on a socket, and for three of an account."""
    limits = {"subscription_cost_per_socket": 2 * PER_SECOND, "subscription_cost_per_user": 3 * PER_SECOND}
    return replace(graph, worker=replace(graph.worker, settings=graph.worker.settings.model_copy(update=limits)))


@asynccontextmanager
async def subscribed(graph: GraphClient, uid: int, socket: str, rate: float | None = None) -> AsyncIterator[None]:
    context = Context(graph.worker, caller=principal(uid), request_id=socket)
    async with graph.streams.subscribe(Request(QUERY, variables={"rate": rate}), context):
        yield


async def refusal(graph: GraphClient, uid: int, socket: str, rate: float | None = None) -> dict[str, Any]:
    with pytest.raises(GraphQLErrors) as refused:
        async with subscribed(graph, uid, socket, rate):
            pass
    return dict(refused.value.errors[0]["extensions"])


async def test_cost_is_reserved_per_socket_and_account_while_subscribed(limited: GraphClient) -> None:
    before = [refusals(limit) for limit in LIMITS]
    async with AsyncExitStack() as stack:
        for socket in ("one", "one", "two"):
            await stack.enter_async_context(subscribed(limited, TRADER, socket))
        assert await refusal(limited, TRADER, "one") == {
            "code": "RATE_LIMITED", "retryAfter": 1, "limit": 2 * PER_SECOND, "cost": PER_SECOND,
        }  # fmt: skip
        assert (await refusal(limited, TRADER, "two"))["limit"] == 3 * PER_SECOND
        async with subscribed(limited, OTHER, "one"):
            assert "fullon_graphql_stream_cost 400.0" in limited.operations.metrics.text().decode()
    async with subscribed(limited, TRADER, "one"):
        metrics = limited.operations.metrics.text().decode()
    assert "fullon_graphql_stream_cost 100.0" in metrics
    assert [refusals(limit) for limit in LIMITS] == [count + 1 for count in before]


async def test_lower_rate_costs_less(limited: GraphClient) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(subscribed(limited, TRADER, "one", rate=1))
        assert (await refusal(limited, TRADER, "one", rate=1))["code"] == "RATE_LIMITED"


async def test_subscription_above_the_whole_budget_is_too_complex(limited: GraphClient) -> None:
    extensions = await refusal(limited, TRADER, "one", rate=1000)
    assert extensions == {"code": "QUERY_TOO_COMPLEX", "cost": 1000 * OBJECT, "limit": 2 * PER_SECOND}


async def test_invalid_rate_is_bad_user_input(limited: GraphClient) -> None:
    assert (await refusal(limited, TRADER, "one", rate=0))["code"] == "BAD_USER_INPUT"
    async with subscribed(limited, TRADER, "one"), subscribed(limited, TRADER, "one"):
        pass  # the refused one holds nothing


@pytest.mark.parametrize(
    ("rate", "cost"), [(None, 100), (0.25, 3), (2, 20), (-1, 100), (float("nan"), 100), (1e300, 10**10)]
)
def test_cost_per_second(rate: float | None, cost: int) -> None:
    assert cost_per_second(10, rate) == cost
