"""Introspection: operations that select the schema alone are executed once, and not by the event loop."""

from __future__ import annotations

import threading

import orjson
import pytest
from graphql import DocumentNode, GraphQLSchema, get_introspection_query

from fullon_graphql.auth.principal import Anonymous, Caller, Principal, Scope
from fullon_graphql.context import Context
from fullon_graphql.engine.introspection import introspect
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.engine.planned import plans
from fullon_graphql.engine.trace import Trace
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER

WRITER = Principal(TRADER, "write-only key", False, "api_key:2", None, frozenset({Scope.WRITE}))


async def answered(
    graph: GraphClient, operations: OperationExecutor, query: str, caller: Caller, **variables: object
) -> tuple[Trace, bytes]:
    trace = Trace()
    response = await operations.run(Request(query, variables=variables), Context(graph.worker, caller=caller), trace)
    return trace, response.body


@pytest.mark.parametrize(
    "query",
    [
        get_introspection_query(),
        '{ t: __type(name: "Bot") { name fields @skip(if: false) { name } } none: __type(name: "x") { name } }',
        "{ __typename @include(if: false) }",
    ],
    ids=["of a client", "of types", "of nothing"],
)
async def test_schema_is_described_once_to_all_callers(
    graph: GraphClient, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    threads: list[str] = []

    def counted(schema: GraphQLSchema, document: DocumentNode, operation_name: str | None) -> bytes:
        threads.append(threading.current_thread().name)
        return introspect(schema, document, operation_name)

    monkeypatch.setattr(plans, "introspect", counted)
    operations = OperationExecutor(graph.graph.core)
    reference = OperationExecutor(graph.graph.core, planning=False)
    for caller in (principal(TRADER), Anonymous(), WRITER):
        trace, body = await answered(graph, operations, query, caller)
        assert trace.reason is None
        assert body == (await answered(graph, reference, query, caller))[1]
    assert len(threads) == 1
    assert threads[0].startswith("planner")


async def test_remembered_description_counts_as_memory_of_its_document(graph: GraphClient) -> None:
    operations = OperationExecutor(graph.graph.core)
    _, body = await answered(graph, operations, get_introspection_query(), Anonymous())
    assert operations.documents.size > len(body)


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query ($name: String!) { __type(name: $name) { name } }", {"name": "Bot"}),
        ("{ __schema { queryType { name } } me { uid } }", {}),
        ("{ ... { __schema { queryType { name } } } }", {}),
    ],
    ids=["variables", "other fields", "fragments"],
)
@pytest.mark.usefixtures("platform")
async def test_other_introspection_is_left_to_the_reference(
    graph: GraphClient, query: str, variables: dict[str, str]
) -> None:
    trace, body = await answered(graph, OperationExecutor(graph.graph.core), query, principal(TRADER), **variables)
    assert trace.fallback == "operation"
    assert "errors" not in orjson.loads(body)


async def test_each_operation_of_a_document_has_its_own_response(graph: GraphClient) -> None:
    operations = OperationExecutor(graph.graph.core)
    query = 'query A { __type(name: "Bot") { name } } query B { __type(name: "Order") { name } }'
    for name, type_ in (("A", "Bot"), ("B", "Order")):
        request = Request(query, operation_name=name)
        response = await operations.run(request, Context(graph.worker, caller=Anonymous()))
        assert orjson.loads(response.body) == {"data": {"__type": {"name": type_}}}
