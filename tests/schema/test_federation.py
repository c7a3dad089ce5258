"""The subgraph SDL for federated gateways."""

from __future__ import annotations

from graphql import ObjectTypeDefinitionNode, parse, print_ast

from fullon_graphql.graph import ENTITIES, Graph
from tests.fixtures.graph import GraphClient


async def test_service_sdl_requires_no_authentication(graph: GraphClient, schema: Graph) -> None:
    data = await graph.data("{ _service { sdl } }")
    assert data["_service"]["sdl"] == schema.as_str()


def test_schema_links_federation_2_9(schema: Graph) -> None:
    [link] = [line for line in schema.as_str().splitlines() if "@link" in line]
    assert '@link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@cost", "@key", "@listSize"])' in link


def test_every_entity_has_its_id_as_key(schema: Graph) -> None:
    types = [node for node in parse(schema.as_str()).definitions if isinstance(node, ObjectTypeDefinitionNode)]
    keys = {type_.name.value: [print_ast(directive) for directive in type_.directives or ()] for type_ in types}
    with_key = {name for name, directives in keys.items() if directives}
    nodes = {type_.name.value for type_ in types if any(one.name.value == "Node" for one in type_.interfaces or ())}
    assert with_key == nodes == {entity.__name__ for entity in ENTITIES}
    assert all(keys[name] == ['@key(fields: "id")'] for name in with_key)
