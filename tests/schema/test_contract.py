"""The schema provides the published contract: nothing is renamed, loosened or missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    DocumentNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    TypeDefinitionNode,
    parse,
    print_ast,
)

from fullon_graphql.graph import Graph

CONTRACT = Path(__file__).parents[1] / "data" / "contract.graphql"

LATER: set[str] = set()
"""Names of the contract that are not implemented yet; an implemented name must be removed here."""

SHAPE = """
type XConnection { edges: [XEdge!]! nodes: [X!]! pageInfo: PageInfo! totalCount: Int! }
type XEdge { cursor: String! node: X! }
"""


@pytest.fixture(scope="module")
def contract() -> DocumentNode:
    return parse(CONTRACT.read_text())


@pytest.fixture(scope="module")
def ours(schema: Graph) -> DocumentNode:
    return parse(schema.as_str())


def test_schema_provides_the_contract_with_its_types_and_defaults(contract: DocumentNode, ours: DocumentNode) -> None:
    promised, kept = dict(facts(contract)), dict(facts(ours))
    missing = promised.keys() - kept.keys()
    assert {name for name in missing if not is_later(name)} == set()
    assert {name: kept[name] for name in promised.keys() & kept.keys()} == {
        name: promised[name] for name in promised.keys() & kept.keys()
    }


def test_names_listed_as_later_do_not_exist_yet(ours: DocumentNode) -> None:
    kept = dict(facts(ours))
    assert {name for name in kept if is_later(name)} == set()


def test_connections_have_the_shape_of_the_contract(contract: DocumentNode, ours: DocumentNode) -> None:
    promised, kept = dict(facts(contract)), dict(facts(ours))
    lists = {type_.removesuffix("Connection!") for type_ in promised.values() if type_.endswith("Connection!")}
    present = {name for name in lists if f"{name}Connection" in kept}
    assert present == {"User", "Bot", "Order", "Symbol", "DryTrade", "BotLog"}
    for name in present:
        assert dict(facts(parse(SHAPE.replace("X", name)))).items() <= kept.items()


def facts(document: DocumentNode) -> Iterator[tuple[str, str]]:
    """Every name a client may use, with its type: `User.mail` -> `String!`."""
    for definition in document.definitions:
        if isinstance(definition, TypeDefinitionNode):
            yield definition.name.value, kind(definition)
            if isinstance(definition, EnumTypeDefinitionNode):
                yield from ((f"{definition.name.value}.{value.name.value}", "") for value in definition.values or ())
            for field in getattr(definition, "fields", None) or ():
                yield from facts_of_field(definition.name.value, field)


def facts_of_field(owner: str, field: FieldDefinitionNode) -> Iterator[tuple[str, str]]:
    name = f"{owner}.{field.name.value}"
    yield name, print_ast(field.type)
    for argument in getattr(field, "arguments", None) or ():
        default = f" = {print_ast(argument.default_value)}" if argument.default_value else ""
        yield f"{name}({argument.name.value})", print_ast(argument.type) + default


def kind(definition: TypeDefinitionNode) -> str:
    """The kind of a type, its interfaces and its federation keys."""
    match definition:
        case ObjectTypeDefinitionNode():
            directives = [print_ast(directive) for directive in definition.directives or ()]
            return " ".join(["type", *(print_ast(interface) for interface in definition.interfaces or ()), *directives])
        case InterfaceTypeDefinitionNode():
            return "interface"
        case EnumTypeDefinitionNode():
            return "enum"
        case ScalarTypeDefinitionNode():
            return "scalar"
        case _:
            return "input"


def is_later(name: str) -> bool:
    """True if the name, its type or its argument is listed in `LATER`."""
    field, _, argument = name.partition("(")
    return not {field, field.partition(".")[0], argument.rstrip(")")}.isdisjoint(LATER)
