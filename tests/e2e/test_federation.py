"""Federation: the graph is composed with a subgraph of news, and queried through a gateway.

Needs node and npm, which install the composers and the gateway once, at the versions of gateway/package.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from graphql import TypeDefinitionNode, parse, print_ast

from fullon_graphql.config import Subgraph
from fullon_graphql.engine.lists.opaque_ids import encode
from fullon_graphql.graph import Graph, make_graph
from tests.fixtures.node import answer, install
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server
from tests.fixtures.signing_in import SignIn

HERE = Path(__file__).parent / "gateway"
NEWS = (HERE / "news.graphql").read_text()
COMPOSERS = ["@apollo/composition", "@theguild/federation-composition", "@wundergraph/composition"]


@pytest.fixture(scope="module")
def packages() -> None:
    install(HERE)


async def node(script: str, **given: object) -> Any:
    """The answer of a script in tests/e2e/gateway."""
    return await answer(HERE / script, given)


async def compose(library: str, **subgraphs: str) -> Any:
    return await node("compose.mjs", library=library, subgraphs=subgraphs)


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("composer", COMPOSERS)
async def test_schema_composes_alone_and_with_a_subgraph_that_extends_it_by_key(schema: Graph, composer: str) -> None:
    for others in ({}, {"news": NEWS}):
        composed = await compose(composer, fullon=schema.as_str(), **others)
        assert composed["errors"] == []
        assert "type Symbol implements Node" in composed["supergraph"]


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("composer", COMPOSERS)
async def test_composition_with_a_missing_key_fails(schema: Graph, composer: str) -> None:
    by_name = NEWS.replace(
        'type Symbol @key(fields: "id") {\n  id: ID!', 'type Symbol @key(fields: "name") {\n  name: ID!'
    )
    composed = await compose(composer, fullon=schema.as_str(), news=by_name)
    assert composed["errors"] != []


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("composer", COMPOSERS)
async def test_subgraphs_compose_to_the_whole_graph(schema: Graph, composer: str) -> None:
    composed = await compose(composer, **{part: make_graph(part).as_str() for part in Subgraph})
    assert composed["errors"] == []
    assert shape(composed["api"]) == shape(schema.as_str())


def shape(sdl: str) -> dict[str, Any]:
    """The types of a schema that clients see, with fields, arguments and values, without directives."""
    own = [node for node in parse(sdl).definitions if isinstance(node, TypeDefinitionNode)]
    own = [node for node in own if not node.name.value.startswith("_")]
    return {node.name.value: _shape_of(node) for node in own}


def _shape_of(node: Any) -> dict[str, str]:
    members = [*(getattr(node, "fields", None) or ()), *(getattr(node, "values", None) or ())]
    found = {one.name.value: _member(one) for one in members if not one.name.value.startswith("_")}
    interfaces = sorted(one.name.value for one in getattr(node, "interfaces", None) or ())
    return {"": f"{type(node).__name__} {interfaces}", **found}


def _member(member: Any) -> str:
    """Arguments, type and default of a field, an argument or a value."""
    arguments = {one.name.value: _member(one) for one in getattr(member, "arguments", None) or ()}
    type_, default = getattr(member, "type", None), getattr(member, "default_value", None)
    return f"{sorted(arguments.items())} {type_ and print_ast(type_)} {default and print_ast(default)}"


ASKED = """{
  articles { title about { symbol exchange { name } articles { slug } } }
  bots(first: 1) { nodes { orders(first: 1) { nodes { instrument { symbol articles { title } } } } } }
}"""


@pytest.mark.usefixtures("packages", "platform")
async def test_gateway_joins_news_to_instruments_in_both_directions(
    schema: Graph, server: Server, sign_in: SignIn
) -> None:
    bitcoin, gold = encode("Symbol", 1), encode("Symbol", 3)
    articles = [
        {"slug": "a", "title": "Bitcoin against gold", "about": [{"id": bitcoin}, {"id": gold}]},
        {"slug": "b", "title": "Bitcoin alone", "about": [{"id": bitcoin}]},
    ]
    composed = await compose(COMPOSERS[0], fullon=schema.as_str(), news=NEWS)
    found = await node(
        "gateway.mjs",
        supergraph=composed["supergraph"],
        url=f"{server.url}/graphql",
        authorization=f"Bearer {await sign_in(TRADER)}",
        articles=articles,
        query=ASKED,
    )
    kraken = {"name": "kraken"}
    about_bitcoin = {"symbol": "BTC/USD", "exchange": kraken, "articles": [{"slug": "a"}, {"slug": "b"}]}
    about_gold = {"symbol": "GOLD", "exchange": kraken, "articles": [{"slug": "a"}]}
    instrument = {"symbol": "BTC/USD", "articles": [{"title": "Bitcoin against gold"}, {"title": "Bitcoin alone"}]}
    assert found["answer"] == {
        "data": {
            "articles": [
                {"title": "Bitcoin against gold", "about": [about_bitcoin, about_gold]},
                {"title": "Bitcoin alone", "about": [about_bitcoin]},
            ],
            "bots": {"nodes": [{"orders": {"nodes": [{"instrument": instrument}]}}]},
        }
    }
    entities = [fetch for fetch in found["fetches"] if "_entities" in fetch["query"]]
    assert len(entities) == 1
