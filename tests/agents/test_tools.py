from __future__ import annotations

from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, build_schema, parse
from jsonschema import Draft202012Validator

from fullon_graphql.agents.input_schemas import input_schema
from fullon_graphql.agents.tools import DOCUMENTS, document_tools
from fullon_graphql.engine.trusted.manifests import Manifest, read_manifest
from fullon_graphql.graph import Graph

SCHEMA = build_schema("""
  scalar DateTime
  scalar JSON
  enum Colour { "Like blood." RED GREEN }
  "Conditions."
  input Filter { and: [Filter!], "The name." name: String!, size: Int = 3 }
  input Which @oneOf { id: ID, name: String }
  type Query { items("Which ones." filter: Filter, at: DateTime, any: JSON, which: Which, colours: [Colour!]): Int }
""")


def schema_of(document: str) -> dict[str, object]:
    [operation] = parse(document).definitions
    assert isinstance(operation, OperationDefinitionNode)
    built = input_schema(SCHEMA, operation, [], {"hidden"})
    Draft202012Validator.check_schema(built)
    return built


def test_variables_become_properties_with_their_types_and_descriptions() -> None:
    built = schema_of(
        "query Q($at: DateTime!, $any: JSON!, $name: String!, $limit: Int = 1, $hidden: Int) {"
        " items(at: $at, any: $any, filter: {name: $name}) }"
    )
    assert built == {
        "type": "object",
        "additionalProperties": False,
        "required": ["at", "any", "name"],
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "any": {},
            "name": {"type": "string", "description": "The name."},
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": 1},
        },
    }


def test_enums_lists_and_recursive_inputs_are_definitions() -> None:
    built = schema_of(
        "query Q($filter: Filter!, $which: Which!, $colours: [Colour!]!)"
        " { items(filter: $filter, which: $which, colours: $colours) }"
    )
    assert built["properties"] == {
        "filter": {"$ref": "#/$defs/Filter", "description": "Which ones."},
        "which": {"$ref": "#/$defs/Which"},
        "colours": {"type": "array", "items": {"$ref": "#/$defs/Colour"}},
    }
    validator = Draft202012Validator(built)
    valid = {"filter": {"name": "a", "and": [{"name": "b", "size": None}]}, "which": {"id": "1"}, "colours": ["RED"]}
    assert validator.is_valid(valid)
    changes: list[dict[str, object]] = [
        {"filter": {}}, {"filter": {"name": "a", "and": [{"size": 1}]}}, {"filter": {"name": "a", "x": 1}},
        {"which": {"id": "1", "name": "b"}}, {"colours": ["BLUE"]}, {"colours": "RED"}, {"more": 1},
    ]  # fmt: skip
    for changed in changes:
        assert not validator.is_valid(valid | changed), changed
    definitions = built["$defs"]
    assert isinstance(definitions, dict)
    assert definitions["Colour"] == {"type": "string", "enum": ["RED", "GREEN"], "description": "RED: Like blood."}
    assert definitions["Filter"]["properties"]["size"]["default"] == 3


def test_every_document_of_the_package_is_a_described_tool(graph: Graph) -> None:
    tools, left_out = document_tools(read_manifest(DOCUMENTS), graph.core, allow_writes=True)
    assert left_out == []
    assert tools.keys() == {file.stem for file in DOCUMENTS.iterdir()}
    assert all(tool.description.endswith(".") for tool in tools.values())
    assert {name for name, tool in tools.items() if tool.writes} == {"StartBot", "StopBot", "CancelOrder"}
    assert tools["StopBot"].input_schema["properties"].keys() == {"botId"}
    assert tools["StopBot"].scopes == {"bots:write"}
    for tool in tools.values():
        Draft202012Validator.check_schema(dict(tool.input_schema))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("query { me { uid } }", "the operation needs a name."),
        ("query confirm { me { uid } }", "the name is used for another tool."),
        ("subscription S { serviceStatus { name } }", "a subscription cannot be a tool."),
        ("query Q { nonsense }", "Cannot query field 'nonsense' on type 'Query'."),
        ("query Q {", "Syntax Error: Expected Name, found <EOF>."),
        ("mutation M { logout }", "a mutation must have one root field with the arguments"),
        (
            "mutation M($dryRun: Boolean) { deleteBot(botId: 1, dryRun: $dryRun) }",
            "a mutation must have one root field",
        ),
        (
            "mutation M($dryRun: Boolean!, $idempotencyKey: String) { deleteBot(botId: 1, dryRun: false,"
            " idempotencyKey: $idempotencyKey) @include(if: $dryRun) }",
            "a mutation must have one root field",
        ),
        (
            "mutation M($dryRun: Boolean, $idempotencyKey: String) {"
            " a: deleteBot(botId: 1, dryRun: $dryRun, idempotencyKey: $idempotencyKey)"
            " b: deleteBot(botId: 2, dryRun: $dryRun, idempotencyKey: $idempotencyKey) }",
            "a mutation must have one root field",
        ),
    ],
)
def test_unsuitable_operation_is_not_offered(document: str, reason: str, graph: Graph) -> None:
    tools, [left_out] = document_tools(Manifest({document: "id"}), graph.core, allow_writes=True)
    assert tools == {}
    assert reason in left_out


def test_mutations_are_offered_only_if_writes_are_allowed(graph: Graph) -> None:
    tools, left_out = document_tools(read_manifest(DOCUMENTS), graph.core, allow_writes=False)
    assert not any(tool.writes for tool in tools.values())
    assert "StopBot: a mutation; allow writes to offer it." in left_out


def test_description_is_the_comment_or_that_of_the_root_field(graph: Graph, tmp_path: Path) -> None:
    (tmp_path / "a.graphql").write_text("# One.\n# Two.\nquery A { me { uid } }\n")
    (tmp_path / "b.graphql").write_text("query B { me { uid } }\n")
    (tmp_path / "c.graphql").write_text('"""Three."""\nquery C { me { uid } }\n')
    tools, _ = document_tools(read_manifest(tmp_path), graph.core, allow_writes=False)
    described = {name: tool.description for name, tool in tools.items()}
    assert described == {"A": "One. Two.", "B": "The signed-in user.", "C": "Three."}
