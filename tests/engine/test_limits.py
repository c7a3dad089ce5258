"""Limits on the size of one operation."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import orjson
import pytest
from graphql import get_introspection_query

from fullon_graphql.context import Context
from fullon_graphql.engine.documents import DocumentCache
from fullon_graphql.engine.limits import DEEPEST, Limits, variables_exceeded
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.engine.trace import Trace
from fullon_graphql.graph import make_graph
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.limits import refusals
from tests.fixtures.rows import TRADER

SCHEMA = make_graph().core


def nested(levels: int) -> str:
    """A document with this many levels of fields."""
    return (
        "{ me {"
        + " user: bots { nodes { user {" * ((levels - 2) // 3)
        + " uid "
        + "} } }" * ((levels - 2) // 3)
        + "} }"
    )


async def errors(text: str, limits: Limits | None = None) -> list[Any]:
    return list((await DocumentCache(SCHEMA, limits or Limits()).read(text, Trace())).errors)


async def codes(text: str, limits: Limits | None = None) -> list[str]:
    return [error["extensions"]["code"] for error in await errors(text, limits)]


async def test_operation_with_too_many_levels_is_refused() -> None:
    assert await codes(nested(DEEPEST)) == []
    assert await codes(nested(DEEPEST + 3)) == ["QUERY_TOO_COMPLEX"]


async def test_levels_in_fragments_count() -> None:
    spread = nested(DEEPEST).replace(" uid ", " ...F ")
    assert await codes(spread + " fragment F on User { bots { totalCount } }") == ["QUERY_TOO_COMPLEX"]


async def test_cyclic_fragments_are_refused() -> None:
    assert await errors("{ me { ...F } } fragment F on User { ...F }")


async def test_introspection_query_is_within_the_limits() -> None:
    assert await errors(get_introspection_query()) == []


@pytest.mark.usefixtures("platform")
async def test_too_deep_operation_is_answered_with_query_too_complex(graph: GraphClient) -> None:
    answer = await graph.as_(principal(TRADER)).ask(nested(DEEPEST + 3))
    assert answer.codes == ["QUERY_TOO_COMPLEX"]


def doubling(levels: int) -> str:
    """Fragments that each spread the next one twice."""
    links = "".join(f"fragment F{n} on User {{ ...F{n + 1} ...F{n + 1} }} " for n in range(levels))
    return f"{{ me {{ ...F0 }} }} {links} fragment F{levels} on User {{ uid }}"


async def test_expanded_selections_are_refused_in_milliseconds_naming_value_and_limit() -> None:
    started = perf_counter()
    [error] = await errors(doubling(26))
    assert perf_counter() - started < 0.5
    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert f"{2 + 2 * (2**26 - 1) + 2**26}" in error["message"]
    assert "10000 are allowed" in error["message"]


async def test_expanded_selections_are_counted_with_every_spread() -> None:
    count = 2 + 2 * (2**3 - 1) + 2**3
    assert await errors(doubling(3), Limits(selections=count)) == []
    assert await codes(doubling(3), Limits(selections=count - 1)) == ["QUERY_TOO_COMPLEX"]


async def test_long_chain_of_fragments_is_refused() -> None:
    chain = "".join(f"fragment F{n} on User {{ ...F{n + 1} }} " for n in range(600))
    assert await codes(f"{{ me {{ ...F0 }} }} {chain} fragment F600 on User {{ uid }}") == ["QUERY_TOO_COMPLEX"]


@pytest.mark.parametrize(
    "text",
    [
        "{ a: me { uid } b: me { uid } c: me { uid } }",
        "{ me { uid } me { uid } me { uid } }",
        "{ ...F ...F me { uid } } fragment F on Query { me { uid } }",
        "{ ... { me { uid } } ... { me { uid } me { uid } } }",
        "{ me { ...F } } fragment F on User { uid uid uid }",
    ],
)
async def test_repetitions_of_one_field_are_limited(text: str) -> None:
    assert await errors(text, Limits(repetitions=3)) == []
    assert await codes(text, Limits(repetitions=2)) == ["QUERY_TOO_COMPLEX"]


async def test_directives_are_limited() -> None:
    text = "{ me @include(if: true) { uid @skip(if: false) mail @include(if: true) } }"
    assert await errors(text, Limits(directives=3)) == []
    assert await codes(text, Limits(directives=2)) == ["QUERY_TOO_COMPLEX"]


@pytest.mark.parametrize("variables", [{"a": [1, 2, 3]}, {"a": {"b": {"c": 1}}, "d": 1}, {"a": [[1]], "b": 1}])
def test_values_of_variables_are_limited(variables: dict[str, Any]) -> None:
    assert variables_exceeded(variables, Limits(variable_values=4)) is None
    assert variables_exceeded(variables, Limits(variable_values=3)) is not None


async def test_request_with_too_many_values_is_refused_and_counted(graph: GraphClient) -> None:
    executor, before = OperationExecutor(SCHEMA, limits=Limits(variable_values=3)), refusals("QUERY_VARIABLE_LIMIT")
    question = 'query ($names: [String!]) { tickers(exchange: "kraken", symbols: $names) { price } }'
    request = Request(question, variables={"names": ["A", "B", "C"]})
    response = await executor.run(request, Context(graph.worker, principal(TRADER)))
    assert orjson.loads(response.body)["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert refusals("QUERY_VARIABLE_LIMIT") == before + 1
