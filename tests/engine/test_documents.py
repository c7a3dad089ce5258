"""Documents: parsed and validated once, and bounded in number."""

from __future__ import annotations

import asyncio

import pytest

from fullon_graphql.engine.documents import DocumentCache
from fullon_graphql.engine.limits import Limits
from fullon_graphql.engine.trace import Trace
from fullon_graphql.graph import Graph

TOKENS = 100


async def stages(documents: DocumentCache, text: str) -> list[str]:
    trace = Trace()
    await documents.read(text, trace)
    return [step.stage for step in trace.steps]


async def test_document_is_parsed_and_validated_once(schema: Graph) -> None:
    documents = DocumentCache(schema.core, Limits())
    assert await stages(documents, "{ me { uid } }") == ["parse", "validate"]
    assert await stages(documents, "{ me { uid } }") == []
    assert (await documents.read("{ me { uid } }", Trace())) is (await documents.read("{ me { uid } }", Trace()))


async def test_invalid_document_is_remembered(schema: Graph) -> None:
    documents = DocumentCache(schema.core, Limits())
    for text in ("{", "{ nothing }"):
        assert await stages(documents, text)
        assert await stages(documents, text) == []
        assert (await documents.read(text, Trace())).errors


async def test_least_recently_used_document_is_evicted_first(schema: Graph) -> None:
    documents = DocumentCache(schema.core, Limits(cache_bytes=16_000))
    first, second, third = "{ a: __typename }", "{ b: __typename }", "{ c: __typename }"
    for text in (first, second, first, third):
        await documents.read(text, Trace())
    assert await stages(documents, first) == []
    assert await stages(documents, second) != []


async def test_remembered_documents_stay_within_the_bytes_of_the_cache(schema: Graph) -> None:
    documents = DocumentCache(schema.core, Limits(cache_bytes=50_000))
    for number in range(50):
        await documents.read(f"{{ a{number}: __typename }}", Trace())
    assert 0 < documents.size <= 50_000
    assert documents.entries + documents.evictions == 50


async def test_equal_documents_that_arrive_together_are_read_once(schema: Graph) -> None:
    documents, traces = DocumentCache(schema.core, Limits()), [Trace() for _ in range(5)]
    found = await asyncio.gather(*(documents.read("{ me { uid } }", trace) for trace in traces))
    assert len({id(document) for document in found}) == 1
    assert sum(trace.executed("parse") for trace in traces) == 1


async def test_document_with_too_many_tokens_is_refused(schema: Graph) -> None:
    documents = DocumentCache(schema.core, Limits(tokens=TOKENS))
    allowed = await documents.read("{" + " __typename" * (TOKENS - 2) + "}", Trace())
    refused = await documents.read("{" + " __typename" * (TOKENS - 1) + "}", Trace())
    assert not allowed.errors
    assert str(TOKENS) in refused.errors[0]["message"]


async def test_deeply_nested_document_is_refused(schema: Graph) -> None:
    deep = "{ me " + "{ bots { nodes { user " * 1000 + "{ uid }" + "}}}" * 1000 + " }"
    assert (await DocumentCache(schema.core, Limits()).read(deep, Trace())).errors


async def test_only_operation_needs_no_name(schema: Graph) -> None:
    document = await DocumentCache(schema.core, Limits()).read("query One { __typename }", Trace())
    assert document.operation(None) is document.operation("One") is document.operations["One"]
    assert document.operation("Other") is None


async def test_one_of_several_operations_is_selected_by_name(schema: Graph) -> None:
    document = await DocumentCache(schema.core, Limits()).read("query A { __typename } query B { ...F } fragment F on Query { x: __typename }", Trace())  # fmt: skip
    assert document.operation("B") is document.operations["B"]
    assert document.operation(None) is None
    assert list(document.syntax().fragments) == ["F"]


@pytest.mark.parametrize("text", ["", " ", "# nothing", "fragment F on Query { __typename }"])
async def test_document_without_an_operation_has_none(schema: Graph, text: str) -> None:
    document = await DocumentCache(schema.core, Limits()).read(text, Trace())
    assert document.operation(None) is None
