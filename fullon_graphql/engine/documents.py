"""Documents: the `query` of requests, parsed and validated once."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)

from fullon_graphql.engine.introspection import NoIntrospection
from fullon_graphql.engine.limits import DepthLimit
from fullon_graphql.engine.literals import FiniteFloats
from fullon_graphql.engine.trace import Trace
from fullon_graphql.lru import LRUCache

MAX_TOKENS = 5_000
"""The most tokens one document may have; this bounds the time that parsing takes."""

RULES = (*specified_rules, DepthLimit, FiniteFloats)
"""The rules of the GraphQL specification, and ours."""


@dataclass(eq=False)
class Document:
    """A parsed document. With `errors` it must not be executed; `node` is None if it could not be parsed."""

    node: DocumentNode | None
    errors: list[GraphQLError]
    operations: dict[str | None, OperationDefinitionNode] = field(default_factory=dict)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    conditions: dict[str | None, tuple[str, ...]] = field(default_factory=dict)
    """The variables in `@include` and `@skip`, by operation."""
    plans: LRUCache[Any, Any] = field(default_factory=lambda: LRUCache(32))
    """Its plans and fallbacks, by operation and values of the condition variables."""

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation called `name`, or without a name the only one; None if there is no such operation."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        return self.operations.get(name) if name is not None else None


class DocumentCache:
    """The documents used last, by their text."""

    def __init__(self, schema: GraphQLSchema, size: int = 1_000, *, introspection: bool = True) -> None:
        self._schema = schema
        self._rules = RULES if introspection else (*RULES, NoIntrospection)
        self._hide_suggestions = not introspection
        self._seen: LRUCache[str, Document] = LRUCache(size)

    def read(self, text: str, trace: Trace) -> Document:
        """The document with this text."""
        return self._seen.get(text) or self._seen.put(text, self._make(text, trace))

    def _make(self, text: str, trace: Trace) -> Document:
        started = perf_counter()
        try:
            node = parse(text, max_tokens=MAX_TOKENS)
        except GraphQLError as error:
            return Document(None, [error])
        finally:
            trace.step("parse", "", started)
        started = perf_counter()
        document = Document(node, validate(self._schema, node, self._rules, hide_suggestions=self._hide_suggestions))
        trace.step("validate", "", started)
        for definition in node.definitions:
            if isinstance(definition, OperationDefinitionNode):
                document.operations[definition.name.value if definition.name else None] = definition
            elif isinstance(definition, FragmentDefinitionNode):
                document.fragments[definition.name.value] = definition
        return document
