"""The schema for agents: search by text, and the definition at a coordinate such as `Query.orders`."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import indent
from typing import Any, Final, NamedTuple

from graphql import parse, print_ast

from fullon_graphql.agents.answers import shortened_text
from fullon_graphql.errors import shortened

MOST_HITS: Final = 20
MOST_CHARACTERS: Final = 20_000

_KEYWORDS: Final = {
    "object_type_definition": "type",
    "interface_type_definition": "interface",
    "input_object_type_definition": "input",
    "enum_type_definition": "enum",
    "union_type_definition": "union",
    "scalar_type_definition": "scalar",
}


class _Element(NamedTuple):
    node: Any
    owner: str
    """The type of a member, with its keyword; empty for types and arguments."""


class SchemaSearch:
    """Searches a schema, which is given as SDL."""

    def __init__(self, sdl: str) -> None:
        self._elements = dict(_elements(sdl))

    def search(self, text: str) -> str:
        """The types, fields and values with all words of `text` in their coordinate or description, best first."""
        words = text.lower().split()
        ranks = {name: _rank(name, element, words) for name, element in self._elements.items() if "(" not in name}
        hits = sorted((rank, len(name), name) for name, rank in ranks.items() if rank is not None and words)
        if not hits:
            return f"Nothing in the schema has all words of {shortened(text)}. Use fewer or other words."
        lines = [_line(name, self._elements[name].node) for _, _, name in hits[:MOST_HITS]]
        if len(hits) > MOST_HITS:
            lines.append(f"[{len(hits) - MOST_HITS} more; add a word to narrow the search.]")
        return "\n".join(lines)

    def describe(self, coordinate: str) -> str | None:
        """The definition at a coordinate as SDL with its descriptions; None if there is none."""
        element = self._elements.get("".join(coordinate.split()))
        if element is None:
            return None
        sdl = print_ast(element.node)
        text = f"{element.owner} {{\n{indent(sdl, '  ')}\n}}" if element.owner else sdl
        return shortened_text(text, "use search_schema, then describe one field", MOST_CHARACTERS)


def _elements(sdl: str) -> Iterator[tuple[str, _Element]]:
    """Types, their fields and values, and arguments, by coordinate."""
    for definition in parse(sdl, no_location=True).definitions:
        keyword = _KEYWORDS.get(definition.kind)
        if keyword is None:
            continue
        type_: Any = definition
        name = type_.name.value
        yield name, _Element(type_, "")
        for member in getattr(type_, "fields", None) or getattr(type_, "values", None) or ():
            coordinate = f"{name}.{member.name.value}"
            yield coordinate, _Element(member, f"{keyword} {name}")
            for argument in getattr(member, "arguments", None) or ():
                yield f"{coordinate}({argument.name.value}:)", _Element(argument, "")


def _rank(coordinate: str, element: _Element, words: list[str]) -> int | None:
    """Lower for words in the name than in the type than in the description; None if a word is missing."""
    whole = coordinate.lower()
    name = whole.rpartition(".")[2]
    rank = 0
    for word in words:
        if word in {whole, name}:
            continue
        if word in name:
            rank += 1
        elif word in whole:
            rank += 3
        elif word in _description(element.node).lower():
            rank += 10
        else:
            return None
    return rank


def _line(coordinate: str, node: Any) -> str:
    """One hit: the coordinate with its arguments and type, and the first line of its description."""
    arguments = ", ".join(
        f"{each.name.value}: {print_ast(each.type)}" for each in getattr(node, "arguments", None) or ()
    )
    type_ = f": {print_ast(node.type)}" if hasattr(node, "type") else ""
    first = _description(node).strip().partition("\n")[0]
    return f"{coordinate}{f'({arguments})' if arguments else ''}{type_}" + (f"  # {first}" if first else "")


def _description(node: Any) -> str:
    return node.description.value if node.description else ""
