"""Literals and scalars: input that must be refused in documents and variables alike."""

from __future__ import annotations

from typing import Any

import pytest

from fullon_graphql.errors import shorten_quotes, shortened
from fullon_graphql.schema.support.scalars import parse_time
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER

PRICE = "query ($price: Float) { orders(filter: {price: {lt: $price}}) { totalCount } }"


@pytest.mark.parametrize("literal", ["1e400", "-1e400", "1" * 310, "[1e400]"])
async def test_float_literals_beyond_double_precision_are_refused(graph: GraphClient, literal: str) -> None:
    comparison = "in" if literal.startswith("[") else "lt"
    query = f"{{ orders(filter: {{price: {{{comparison}: {literal}}}}}) {{ totalCount }} }}"
    answer = await graph.as_(principal(TRADER)).ask(query)
    assert set(answer.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert len(answer.errors[0]["message"]) < 200


@pytest.mark.usefixtures("platform")
async def test_float_literals_and_variables_up_to_double_precision_are_accepted(graph: GraphClient) -> None:
    trader = graph.as_(principal(TRADER))
    literal = await trader.data("{ orders(filter: {price: {lt: 1e308}}) { totalCount } }")
    assert literal == await trader.data(PRICE, price=1e308)


@pytest.mark.parametrize(
    "text",
    ["2024-01-01T00:00:00Z\0", "2024-01-01T00:00:00Z ", "20240101T000000Z", "2024-W01-1T00:00Z", "2024-01-01\u3000T00:00Z",
     "2024-01-01T00:00:00Zjunk", "\u0662024-01-01T00:00Z", "2024-13-01T00:00Z", "0001-01-01T00:00+23:00"],
)  # fmt: skip
def test_malformed_times_are_refused(text: str) -> None:
    with pytest.raises(Exception, match="A DateTime is an ISO 8601 string"):
        parse_time(text)


@pytest.mark.parametrize(
    "text", ["2024-01-01T00:00:00Z", "2024-01-01 00:00+01:00", "2024-01-01T00:00:00.123456789-0530"]
)
def test_times_with_an_offset_are_accepted(text: str) -> None:
    assert parse_time(text).tzinfo is not None


LONG = "x" * 100_000


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query ($s: String!) { candles(exchange: $s, symbol: $s, timeframe: M1, last: 1) { open } }", {"s": LONG}),
        ("query ($s: DateTime!) { orders(filter: {timestamp: {eq: $s}}) { totalCount } }", {"s": LONG}),
        ("query ($s: Int!) { order(orderId: $s) { side } }", {"s": LONG}),
        (f"{{ {LONG} }}", {}),
        ("mutation ($s: String!) { createOrder(input: {botId: 1, exId: 20, symbol: $s, side: BUY, orderType: \"market\","
         " volume: 1}) { orderId } }", {"s": LONG}),
        ("mutation ($s: String!) { updateOrderStatus(orderId: 1, status: $s) { orderId } }", {"s": LONG}),
        ("query ($s: String!) { orders(after: $s) { totalCount } }", {"s": LONG}),
    ],
)  # fmt: skip
async def test_quoted_input_is_cut(graph: GraphClient, query: str, variables: dict[str, Any]) -> None:
    answer = await graph.as_(principal(TRADER)).ask(query, **variables)
    assert answer.errors
    assert all("x" * 81 not in error["message"] for error in answer.errors), answer.errors


def test_quotes_in_messages_of_libraries_are_cut_to_80_characters() -> None:
    assert shorten_quotes(f"Cannot query field '{LONG}' on type 'Query'.") == (
        f"Cannot query field '{'x' * 80}…' on type 'Query'."
    )
    assert shorten_quotes("Short 'quotes' and \"others\" stay.") == "Short 'quotes' and \"others\" stay."
    assert len(shortened(LONG)) == 80
