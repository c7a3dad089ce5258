"""Federation: the graph is composed with a subgraph of news, and queried through a gateway.

Needs node and npm, which install the composers and the gateway once, at the versions of gateway/package.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fullon_graphql.engine.lists.opaque_ids import encode
from fullon_graphql.graph import Graph
from tests.fixtures.node import answer, install
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server
from tests.fixtures.signing_in import SignIn

HERE = Path(__file__).parent / "gateway"
NEWS = (HERE / "news.graphql").read_text()
COMPOSERS = ["@apollo/composition", "@theguild/federation-composition"]


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
