"""Documents: what clients send as `query`, parsed and validated once."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    validate,
)

MAX_TOKENS = 5_000
"""The most words and signs one document may have; more is an attack on the parser."""

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """A mapping that forgets what was not asked for longest, beyond `size` entries."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[K, V] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def get(self, key: K) -> V | None:
        """What is kept under `key`, or None."""
        found = self._entries.get(key)
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
            self._entries.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> V:
        """Keep `value`, and return it."""
        self._entries[key] = value
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return value

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(eq=False)
class Document:
    """A parsed document. With `errors` it must not be executed; `node` is None where it could not even be parsed."""

    node: DocumentNode | None
    errors: list[GraphQLError]
    operations: dict[str | None, OperationDefinitionNode] = field(default_factory=dict)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    plans: Bounded[Any, Any] = field(default_factory=lambda: Bounded(32))
    """What planning made of it, by operation and variant."""

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation called `name`, or the only one; None where that is not clear."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        return self.operations.get(name) if name is not None else None


class Documents:
    """The documents seen last, by their text."""

    def __init__(self, schema: GraphQLSchema, size: int = 1_000) -> None:
        self._schema = schema
        self._seen: Bounded[str, Document] = Bounded(size)

    def read(self, text: str) -> Document:
        """The document behind `text`."""
        return self._seen.get(text) or self._seen.put(text, self._parse(text))

    def _parse(self, text: str) -> Document:
        try:
            node = parse(text, max_tokens=MAX_TOKENS)
        except GraphQLError as error:
            return Document(None, [error])
        document = Document(node, validate(self._schema, node))
        for definition in node.definitions:
            if isinstance(definition, OperationDefinitionNode):
                document.operations[definition.name.value if definition.name else None] = definition
            elif isinstance(definition, FragmentDefinitionNode):
                document.fragments[definition.name.value] = definition
        return document
