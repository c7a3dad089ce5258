"""Memory: the estimated size of remembered documents and plans, compared with what they really take."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import pytest
from graphql import Node, Token

from fullon_graphql.context import Context
from fullon_graphql.engine.documents import DocumentCache
from fullon_graphql.engine.limits import Limits
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.engine.trace import Trace
from fullon_graphql.graph import Graph
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER

DOCUMENTS = {
    "small": "{{ bot(botId: 2) {{ a{0}: name }} }}",
    "nested": "{{ bots(first: 3) {{ nodes {{ a{0}: name botId user {{ mail }} orders(first: 2) {{ totalCount nodes {{ side volume"
    " ticker {{ price }} instrument {{ symbol }} }} pageInfo {{ hasNextPage }} }} }} }} }}",
    "wide": "{{ bot(botId: 2) {{ " + " ".join(f"b{number}_{{0}}: name" for number in range(49)) + " }} }}",
    "variables": "query ($first: Int, $name: String) {{ orders(first: $first, filter: {{status: {{eq: $name}}}}) {{ nodes {{ a{0}: side }} }} }}",
    "projection": '{{ tickers(exchange: "kraken") {{ a{0}: price bid ask instrument {{ symbol base }} }} }}',
    "reference": "{{ a{0}: __typename __schema {{ queryType {{ name }} }} }}",
    "invalid": "{{ a{0}: nothing }}",
}  # fmt: skip


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_estimated_size_is_near_the_memory_that_documents_take(graph: GraphClient, kind: str) -> None:
    operations, context = OperationExecutor(graph.graph.core), Context(graph.worker, caller=principal(TRADER))

    async def run(numbers: range) -> None:
        for number in numbers:
            await operations.run(Request(DOCUMENTS[kind].format(number)), context.fork())

    await run(range(10))
    gc.collect()
    tracemalloc.start()
    estimated, traced = operations.documents.size, tracemalloc.get_traced_memory()[0]
    await run(range(10, 30))
    gc.collect()
    estimated, traced = operations.documents.size - estimated, tracemalloc.get_traced_memory()[0] - traced
    tracemalloc.stop()
    assert traced / 2.5 < estimated < traced * 2.5


@pytest.mark.usefixtures("platform")
async def test_evicted_plan_is_freed_without_a_collection(graph: GraphClient) -> None:
    operations, context = OperationExecutor(graph.graph.core), Context(graph.worker, caller=principal(TRADER))
    text = DOCUMENTS["nested"].format(1)
    await operations.run(Request(text), context)
    document = weakref.ref(await operations.documents.read(text, Trace()))
    [plan] = [weakref.ref(plan) for plan, _ in document().plans._entries.values()]  # type: ignore[union-attr]  # alive
    gc.collect()
    gc.disable()
    try:
        operations.documents._seen.remove(text)
        assert document() is None
        assert plan() is None
    finally:
        gc.enable()


@pytest.mark.usefixtures("platform")
async def test_reference_leaves_no_syntax_tree_to_the_collector(graph: GraphClient) -> None:
    operations, context = OperationExecutor(graph.graph.core, planning=False), Context(graph.worker, principal(TRADER))
    gc.collect()
    gc.disable()
    before = count_nodes()
    try:
        response = await operations.run(Request(DOCUMENTS["nested"].format(1)), context)
        assert b'"errors"' not in response.body
        assert count_nodes() == before
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", ["nested", "wide", "invalid"])
def test_validation_leaves_no_syntax_tree_to_the_collector(schema: Graph, kind: str) -> None:
    documents = DocumentCache(schema.core, Limits())
    gc.collect()
    gc.disable()
    before = count_nodes()
    try:
        document = documents._read(DOCUMENTS[kind].format(1), Trace())
        assert bool(document.errors) == (kind == "invalid")
        assert count_nodes() == before
    finally:
        gc.enable()


@pytest.mark.usefixtures("platform")
async def test_compiling_leaves_no_garbage_to_a_full_collection(graph: GraphClient) -> None:
    operations, context = OperationExecutor(graph.graph.core), Context(graph.worker, principal(TRADER))
    await operations.run(Request(DOCUMENTS["nested"].format(1)), context.fork())
    gc.collect()
    for number in range(2, 6):
        await operations.run(Request(DOCUMENTS["nested"].format(number)), context.fork())
    assert gc.collect() < 1_000


def count_nodes() -> int:
    return sum(isinstance(one, Node | Token) for one in gc.get_objects())
