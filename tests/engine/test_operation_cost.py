"""The estimated cost of operations, and the limit on it."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLSchema, OperationType, parse, validate
from graphql.execution.values import VariableValues, get_variable_values

from fullon_graphql.config import Settings
from fullon_graphql.context import Context
from fullon_graphql.engine import cost
from fullon_graphql.engine.cost import OBJECT
from fullon_graphql.engine.documents import syntax_of
from fullon_graphql.engine.limits import Limits
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.graph import Graph
from tests.docs.documents import ROOT, all_blocks
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER

LIMIT = Settings.model_fields["cost_limit"].default


def estimated(schema: GraphQLSchema, query: str, variables: dict[str, Any] | None = None) -> int:
    syntax = syntax_of(query)
    [operation] = syntax.operations.values()
    coerced = get_variable_values(schema, operation.variable_definitions or (), variables or {})
    assert isinstance(coerced, VariableValues), coerced
    return cost.estimated(schema, operation, syntax.fragments).total(coerced.coerced)


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ("{ me { uid } }", {}, OBJECT),
        ("{ __schema { types { name } } }", {}, 0),
        ("{ orders(first: 7) { nodes { orderId bot { name } } } }", {}, OBJECT + 7 * 2 * OBJECT),
        ("{ orders { edges { cursor node { side } } pageInfo { endCursor } } }", {}, OBJECT + 50 * OBJECT),
        ("{ orders(last: 2) { totalCount } }", {}, OBJECT + 50),
        ("query ($n: Int) { orders(first: $n) { nodes { side } } }", {"n": 3}, OBJECT + 3 * OBJECT),
        ("query ($n: Int) { orders(first: $n) { nodes { side } } }", {}, OBJECT + 50 * OBJECT),
        ("query ($n: Int = 4) { orders(first: $n) { nodes { side } } }", {}, OBJECT + 4 * OBJECT),
        ("query ($more: Boolean!) { me { uid bots(first: 1) @include(if: $more) { nodes { name } } } }", {"more": False}, OBJECT),
        ("query ($more: Boolean!) { me { uid ... @skip(if: $more) { bots(first: 1) { nodes { name } } } } }", {"more": False},
         3 * OBJECT),
        ("{ a: bots(first: 2) { ...C } b: bots(first: 5) { ...C } } fragment C on BotConnection { nodes { botId } }", {},
         2 * OBJECT + 7 * OBJECT),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', {}, 3 * OBJECT),
        ('query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Bot { user { mail } } ... on Order { side } } }', {"ids": ["a"]},
         2 * OBJECT),
        ('{ tickers(exchange: "kraken", symbols: ["A", "B"]) { price } }', {}, 2 * OBJECT),
        ('{ candles(exchange: "kraken", symbol: "A", timeframe: M1, last: 500) { time close } }', {}, 1_000),
        ('{ candleColumns(exchange: "kraken", symbol: "A", timeframe: H1, from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z")'
         " { length close volume } }", {}, OBJECT + 48),
        ('{ candles(exchange: "kraken", symbol: "A", timeframe: M1) { close } }', {}, 50_000),
        ("{ equityCurve { currency time equity } }", {}, OBJECT + 2 * 366),
        ('{ equityCurve(resolution: H1, from: "2026-01-01T00:00:00Z", asOf: "2026-01-02T00:00:00Z") { fees } }', {}, OBJECT + 24),
        ("{ equityCurve(days: 36500) { unpriced drawdown } }", {}, OBJECT + 5_000),
        ("{ dailyResults(groupBy: BOT) { groups { key netProfit } } }", {}, OBJECT + 20 * OBJECT),
        ("{ symbols(first: 2) { nodes { candles(timeframe: D1, last: 30) { open } } } }", {}, OBJECT + 2 * (OBJECT + 30)),
    ],
)  # fmt: skip
def test_estimate_counts_objects_and_bars(schema: Graph, query: str, variables: dict[str, Any], expected: int) -> None:
    assert estimated(schema.core, query, variables) == expected


@pytest.mark.parametrize(
    "query",
    [
        "{ symbols(first: 100) { nodes { candles(timeframe: M1, last: 20000) { close } } } }",
        "{ symbols(first: 100) { nodes { candleColumns(timeframe: M1, last: 20000) { close } } } }",
        "{ bots(first: 1000) { nodes { orders(first: 1000) { nodes { trades { tradeId } } } } } }",
        "{ __schema { queryType { name } } bots(first: 1000) { nodes { orders(first: 1000) { nodes { side } } } } }",
    ],
)
async def test_too_expensive_operation_is_refused_with_cost_and_limit(graph: GraphClient, query: str) -> None:
    operations = OperationExecutor(graph.graph.core, limits=Limits(cost=LIMIT))
    context = Context(graph.worker, caller=principal(TRADER))
    response = await operations.run(Request(query), context)
    assert not response.executed
    assert b'"code":"QUERY_TOO_COMPLEX","cost":' in response.body
    assert b'"limit":1000000' in response.body


async def test_too_expensive_event_is_refused(graph: GraphClient) -> None:
    operations = OperationExecutor(graph.graph.core, limits=Limits(cost=100))
    context = Context(graph.worker, caller=principal(TRADER))
    query = "subscription { orders { order { bot { orders(first: 100) { nodes { side } } } } } }"
    with pytest.raises(Exception, match="QUERY_TOO_COMPLEX"):
        await operations.subscription(Request(query), context)


def documented() -> list[str]:
    """The operations in the documents and examples that are valid for the schema."""
    found = [block.text for block in all_blocks("graphql")]
    for file in sorted((ROOT / "examples").glob("*.py")):
        texts = (node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant))
        found += [text for text in texts if isinstance(text, str) and "{" in text]
    return found


def test_documented_operations_cost_less_than_a_tenth_of_the_limit(schema: Graph) -> None:
    checked = 0
    for text in documented():
        try:
            node = parse(text)
        except GraphQLError:
            continue
        if validate(schema.core, node):
            continue
        syntax = syntax_of(text)
        for operation in syntax.operations.values():
            if operation.operation is not OperationType.SUBSCRIPTION:
                total = cost.estimated(schema.core, operation, syntax.fragments).total({})
                assert total < LIMIT / 10, text
                checked += 1
    assert checked > 30
