"""Extraction: the operations in the source of a front end, as the documents that its client sends.

A document is one operation with the fragments that it uses, printed as graphql-js prints it: the operation first, then
the fragments by name. Apollo's tools put documents in the same order, so that the hashes are equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from graphql import (
    DefinitionNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from fullon_graphql.engine.trusted.identifiers import hash_of

DOCUMENTS: Final = frozenset({".graphql", ".gql"})
SOURCES: Final = frozenset({".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte"})

_TEMPLATE: Final = re.compile(
    r"(?:\b(?:gql|graphql)\b\s*(?:<[^`()]*>)?\s*\(?\s*(?:/\*\s*GraphQL\s*\*/\s*)?|/\*\s*GraphQL\s*\*/\s*)`((?:\\.|[^`\\])*)`",
    re.DOTALL,
)
_INTERPOLATION: Final = re.compile(r"\$\{[^}]*\}")
_ESCAPED: Final = re.compile(r"\\([`\\$])")
_COMMENT: Final = re.compile(r"\s*(?://|/?\*)")


class ExtractionError(ValueError):
    """The documents cannot be extracted. The message names the file and the line."""


class Extracted(NamedTuple):
    """A document, with the fields of an operation in Apollo's manifest."""

    id: str
    name: str
    type: str
    body: str


def extract(paths: Iterable[Path], *, typename: bool = False) -> list[Extracted]:
    """The documents in files and folders, sorted by name.

    Found are `gql` and `graphql` templates in JavaScript and TypeScript, and `.graphql` files; folders called
    `node_modules` and hidden folders are left out. With `typename`, each selection set gets `__typename`, as Apollo
    Client adds it.

    Raises:
        ExtractionError: a document cannot be parsed, an operation has no name, a name is used for two definitions, or
            a fragment is missing.
    """
    found = _Definitions()
    for path in paths:
        for file in _files(path):
            for line, text in _texts(file):
                found.add(f"{file}:{line}", text)
    return [found.document(name, typename=typename) for name in sorted(found.operations)]


@dataclass
class _Definitions:
    operations: dict[str, OperationDefinitionNode] = field(default_factory=dict)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)

    def add(self, place: str, text: str) -> None:
        try:
            document = parse(text, no_location=True)
        except GraphQLSyntaxError as error:
            raise ExtractionError(f"{place}: {error.message}") from error
        for definition in document.definitions:
            match definition:
                case OperationDefinitionNode(name=None):
                    raise ExtractionError(f"{place}: the operation needs a name.")
                case OperationDefinitionNode(name=NameNode(value=name)):
                    self._put(self.operations, name, definition, place)
                case FragmentDefinitionNode(name=NameNode(value=name)):
                    self._put(self.fragments, name, definition, place)
                case _:
                    raise ExtractionError(f"{place}: only operations and fragments can be executed.")

    def document(self, name: str, *, typename: bool) -> Extracted:
        operation = self.operations[name]
        used: dict[str, FragmentDefinitionNode] = {}
        waiting: list[DefinitionNode] = [operation]
        while waiting:
            user = waiting.pop()
            for spread in _spreads(user):
                if spread not in self.fragments:
                    raise ExtractionError(f"{self.places[id(user)]}: the fragment {spread} is not defined anywhere.")
                if spread not in used:
                    used[spread] = self.fragments[spread]
                    waiting.append(used[spread])
        document = DocumentNode(definitions=(operation, *(used[fragment] for fragment in sorted(used))))
        body = print_ast(visit(document, _AddTypename()) if typename else document)
        return Extracted(hash_of(body), name, operation.operation.value, body)

    def _put(self, definitions: dict[str, Any], name: str, definition: DefinitionNode, place: str) -> None:
        known = definitions.setdefault(name, definition)
        self.places[id(definition)] = place
        if known is not definition and print_ast(known) != print_ast(definition):
            raise ExtractionError(f"{place}: {name} is defined differently at {self.places[id(known)]}.")


class _AddTypename(Visitor):
    """Appends `__typename` to selection sets, except those of operations and those that have a meta field."""

    def enter_selection_set(self, node: SelectionSetNode, _key: Any, parent: Any, *_: Any) -> SelectionSetNode | None:
        if isinstance(parent, OperationDefinitionNode):
            return None
        if any(isinstance(child, FieldNode) and child.name.value.startswith("__") for child in node.selections):
            return None
        return SelectionSetNode(selections=(*node.selections, FieldNode(name=NameNode(value="__typename"))))


def _spreads(definition: DefinitionNode) -> Iterator[str]:
    found: list[str] = []

    class Collect(Visitor):
        def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
            found.append(node.name.value)

    visit(definition, Collect())
    yield from found


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*")):
        folders = file.relative_to(path).parts[:-1]
        is_left_out = any(folder == "node_modules" or folder.startswith(".") for folder in folders)
        if not is_left_out and file.suffix in DOCUMENTS | SOURCES and file.is_file():
            yield file


def _texts(file: Path) -> Iterator[tuple[int, str]]:
    """The documents of a file, each with the number of its line."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExtractionError(f"{file}: {error}.") from error
    if file.suffix in DOCUMENTS:
        yield 1, text
        return
    for found in _TEMPLATE.finditer(text):
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if not _COMMENT.match(line):
            document = _ESCAPED.sub(r"\1", _INTERPOLATION.sub("", found[1]))
            yield text.count("\n", 0, found.start()) + 1, document
