"""Audience: results that are the same for all signed-in callers, and results that depend on the caller."""

from __future__ import annotations

import pytest

from fullon_graphql.context import Context
from fullon_graphql.engine.operations import OperationExecutor, Request
from tests.fixtures.graph import GraphClient, principal

TICKER = 'ticker(exchange: "kraken", symbol: "GOLD")'


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (f"{TICKER} {{ __typename price ageMs }}", True),
        (f"a: {TICKER} {{ ... {{ instrument {{ base exchange {{ name }} }} }} }}", True),
        ('tickers(exchange: "kraken") { symbol instrument { symbol ticker { price } } }', True),
        ('candles(exchange: "kraken", symbol: "GOLD", timeframe: M1) { closed candle { close } }', True),
        ("orders { cursor }", False),
        ("botLogs { cursor }", False),
        ("serviceStatus { state }", False),
        ("positions(exId: 1) { symbol }", False),
    ],
)  # fmt: skip
async def test_selection_is_for_everybody_if_no_value_depends_on_the_caller(
    graph: GraphClient, selection: str, expected: bool
) -> None:
    operations = OperationExecutor(graph.graph.core)
    context = Context(graph.worker, caller=principal(1))
    subscription = await operations.subscription(Request(f"subscription {{ {selection} }}"), context)
    assert subscription.shape.for_everybody is expected
