"""Documents: parsed and validated once, and bounded in number."""

from __future__ import annotations

import pytest

from fullon_graphql.engine.documents import MAX_TOKENS, DocumentCache
from fullon_graphql.engine.trace import Trace
from fullon_graphql.graph import Graph


def stages(documents: DocumentCache, text: str) -> list[str]:
    trace = Trace()
    documents.read(text, trace)
    return [step.stage for step in trace.steps]


def test_document_is_parsed_and_validated_once(schema: Graph) -> None:
    documents = DocumentCache(schema.core)
    assert stages(documents, "{ me { uid } }") == ["parse", "validate"]
    assert stages(documents, "{ me { uid } }") == []
    assert documents.read("{ me { uid } }", Trace()) is documents.read("{ me { uid } }", Trace())


def test_invalid_document_is_remembered(schema: Graph) -> None:
    documents = DocumentCache(schema.core)
    for text in ("{", "{ nothing }"):
        assert stages(documents, text)
        assert stages(documents, text) == []
        assert documents.read(text, Trace()).errors


def test_least_recently_used_document_is_evicted_first(schema: Graph) -> None:
    documents = DocumentCache(schema.core, size=2)
    first, second, third = "{ a: __typename }", "{ b: __typename }", "{ c: __typename }"
    for text in (first, second, first, third):
        documents.read(text, Trace())
    assert stages(documents, first) == []
    assert stages(documents, second) != []


def test_document_with_too_many_tokens_is_refused(schema: Graph) -> None:
    documents = DocumentCache(schema.core)
    allowed = documents.read("{" + " __typename" * (MAX_TOKENS - 2) + "}", Trace())
    refused = documents.read("{" + " __typename" * (MAX_TOKENS - 1) + "}", Trace())
    assert allowed.node is not None
    assert refused.node is None
    assert str(MAX_TOKENS) in refused.errors[0].message


def test_deeply_nested_document_is_refused(schema: Graph) -> None:
    deep = "{ me " + "{ bots { nodes { user " * 1000 + "{ uid }" + "}}}" * 1000 + " }"
    assert DocumentCache(schema.core).read(deep, Trace()).errors


def test_only_operation_needs_no_name(schema: Graph) -> None:
    document = DocumentCache(schema.core).read("query One { __typename }", Trace())
    assert document.operation(None) is document.operation("One") is document.operations["One"]
    assert document.operation("Other") is None


def test_one_of_several_operations_is_selected_by_name(schema: Graph) -> None:
    document = DocumentCache(schema.core).read("query A { __typename } query B { ...F } fragment F on Query { x: __typename }", Trace())  # fmt: skip
    assert document.operation("B") is document.operations["B"]
    assert document.operation(None) is None
    assert list(document.fragments) == ["F"]


@pytest.mark.parametrize("text", ["", " ", "# nothing", "fragment F on Query { __typename }"])
def test_document_without_an_operation_has_none(schema: Graph, text: str) -> None:
    assert DocumentCache(schema.core).read(text, Trace()).operation(None) is None
