"""Limits on the size of one operation."""

from __future__ import annotations

import pytest
from graphql import get_introspection_query

from fullon_graphql.engine.documents import DocumentCache
from fullon_graphql.engine.limits import DEEPEST
from fullon_graphql.engine.trace import Trace
from fullon_graphql.errors import QueryTooComplex
from fullon_graphql.graph import make_graph
from tests.fixtures.graph import GraphClient, principal
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


def codes(text: str) -> list[str]:
    found = [error.original_error for error in DocumentCache(SCHEMA).read(text, Trace()).errors]
    return [error.code for error in found if isinstance(error, QueryTooComplex)]


def test_operation_with_too_many_levels_is_refused() -> None:
    assert codes(nested(DEEPEST)) == []
    assert codes(nested(DEEPEST + 3)) == ["QUERY_TOO_COMPLEX"]


def test_levels_in_fragments_count() -> None:
    spread = nested(DEEPEST).replace(" uid ", " ...F ")
    assert codes(spread + " fragment F on User { bots { totalCount } }") == ["QUERY_TOO_COMPLEX"]


def test_cyclic_fragments_are_refused() -> None:
    assert DocumentCache(SCHEMA).read("{ me { ...F } } fragment F on User { ...F }", Trace()).errors


def test_introspection_query_is_within_the_limits() -> None:
    assert DocumentCache(SCHEMA).read(get_introspection_query(), Trace()).errors == []


@pytest.mark.usefixtures("platform")
async def test_too_deep_operation_is_answered_with_query_too_complex(graph: GraphClient) -> None:
    answer = await graph.as_(principal(TRADER)).ask(nested(DEEPEST + 3))
    assert answer.codes == ["QUERY_TOO_COMPLEX"]
