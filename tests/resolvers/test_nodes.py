"""Look-ups by global id: `node`, `nodes` and `_entities`."""

from __future__ import annotations

from typing import Any

import pytest

from fullon_graphql.engine.lists import opaque_ids
from tests.conftest import Count
from tests.fixtures.graph import ANONYMOUS, GraphClient, principal
from tests.fixtures.rows import ADMIN, TRADER

pytestmark = pytest.mark.usefixtures("platform")

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
ENTITIES = """query ($of: [_Any!]!) { _entities(representations: $of) {
  __typename ... on Order { orderId bot { name } } ... on Bot { botId } ... on Symbol { symbol }
  ... on User { mail } ... on Exchange { name } ... on CatExchange { name } } }"""

EVERY_TYPE = ["User", "Bot", "Order", "Exchange", "CatExchange", "Symbol"]


def node_id(type_: str, key: object) -> str:
    return opaque_ids.encode(type_, key)


def representation(type_: str, key: object) -> dict[str, Any]:
    return {"__typename": type_, "id": node_id(type_, key)}


async def test_every_type_is_found_by_id(graph: GraphClient) -> None:
    trader = graph.as_(principal(TRADER))
    data = await trader.data(
        """{ me { id bots(first: 1) { nodes { id } } exchanges { id catalog { id } } }
             orders(first: 1) { nodes { id } } symbols(first: 1) { nodes { id } } }"""
    )
    me = data["me"]
    ids = [me["id"], me["bots"]["nodes"][0]["id"], me["exchanges"][0]["id"], me["exchanges"][0]["catalog"]["id"]]
    ids += [data["orders"]["nodes"][0]["id"], data["symbols"]["nodes"][0]["id"]]
    again = await trader.data(NODES, ids=ids)
    assert [node["id"] for node in again["nodes"]] == ids
    assert {node["__typename"] for node in again["nodes"]} == set(EVERY_TYPE)


def test_ids_do_not_change_between_releases() -> None:
    # Clients keep them, and gateways join on them: changing the form breaks both.
    assert node_id("Order", 17) == "WyJPcmRlciIsMTdd"


@pytest.mark.parametrize(
    ("type_", "own", "foreign"), [("User", 2, 3), ("Bot", 1, 6), ("Order", 1, 41), ("Exchange", 20, 30)]
)
async def test_foreign_and_absent_rows_are_null_without_an_error(
    graph: GraphClient, type_: str, own: int, foreign: int
) -> None:
    trader = graph.as_(principal(TRADER))
    for key in (foreign, 9999):
        assert await trader.data(NODE, id=node_id(type_, key)) == {"node": None}
        assert await trader.data(NODES, ids=[node_id(type_, key)]) == {"nodes": [None]}
        assert await trader.data(ENTITIES, of=[representation(type_, key)]) == {"_entities": [None]}
    assert (await trader.data(NODE, id=node_id(type_, own)))["node"]["__typename"] == type_


async def test_each_of_several_ids_is_found_or_null(graph: GraphClient) -> None:
    ids = [node_id("Order", 1), node_id("Order", 41), "nonsense", node_id("Bot", 1)]
    data = await graph.as_(principal(TRADER)).data(NODES, ids=ids)
    assert [node and node["__typename"] for node in data["nodes"]] == ["Order", None, None, "Bot"]


async def test_more_than_a_thousand_ids_are_bad_user_input(graph: GraphClient) -> None:
    answer = await graph.as_(principal(TRADER)).ask(NODES, ids=["x"] * 1001)
    assert answer.codes == ["BAD_USER_INPUT"]


async def test_look_ups_by_id_require_authentication(graph: GraphClient) -> None:
    anonymous = graph.as_(ANONYMOUS)
    assert (await anonymous.ask(NODE, id=node_id("Symbol", 1))).codes == ["UNAUTHENTICATED"]
    assert (await anonymous.ask(NODES, ids=[node_id("Symbol", 1)])).codes == ["UNAUTHENTICATED"]
    assert (await anonymous.ask(ENTITIES, of=[representation("Symbol", 1)])).codes == ["UNAUTHENTICATED"]


@pytest.mark.parametrize(
    "nonsense",
    ["", "=", "Order:17", "ä", "\ud800", "W10", "WzFd", "bnVsbA", "x" * 600, opaque_ids.encode("Nobody", 1),
     opaque_ids.encode("Order"), opaque_ids.encode("Order", 1, 2), opaque_ids.encode("Order", "1"), opaque_ids.encode("Order", True),
     opaque_ids.encode("Order", 1.0), opaque_ids.encode("Order", 2**31), opaque_ids.encode("Order", None), opaque_ids.encode(["Order"], 1)],
)  # fmt: skip
async def test_invalid_id_is_null(graph: GraphClient, nonsense: str) -> None:
    trader = graph.as_(principal(TRADER))
    assert await trader.data(NODE, id=nonsense) == {"node": None}
    assert await trader.data(ENTITIES, of=[{"__typename": "Order", "id": nonsense}]) == {"_entities": [None]}


async def test_id_of_another_type_is_null(graph: GraphClient) -> None:
    of = [{"__typename": "Order", "id": node_id("Bot", 1)}, representation("Bot", 1)]
    data = await graph.as_(principal(TRADER)).data(ENTITIES, of=of)
    assert data["_entities"] == [None, {"__typename": "Bot", "botId": 1}]


@pytest.mark.parametrize(
    "of",
    [{"__typename": "Order", "id": 7}, {"__typename": "Order", "id": [1]}, {"__typename": "Order", "id": None},
     {"__typename": "Order"}, {"__typename": "Nobody", "id": "x"}, {"__typename": "Ticker", "id": "x"},
     {"__typename": "String", "id": "x"}, {"__typename": ["Order"]}, {"id": "x"}, {}, "text", 7, None, ["x"],
     {"__typename": "Query"}, {"__typename": "Order", "info": 1},
     {"__typename": "Order", "cls": 1}, {"__typename": "Order", "self": 1}],
)  # fmt: skip
async def test_malformed_representation_is_bad_user_input(graph: GraphClient, of: Any) -> None:
    answer = await graph.as_(principal(TRADER)).ask(ENTITIES, of=[of])
    assert answer.codes == ["BAD_USER_INPUT"]


async def test_malformed_representation_affects_only_its_own_entry(graph: GraphClient) -> None:
    of = [representation("Bot", 1), {"__typename": "Nobody", "id": "x"}, representation("Bot", 6)]
    answer = await graph.as_(principal(TRADER)).ask(ENTITIES, of=of)
    assert answer.data["_entities"] == [{"__typename": "Bot", "botId": 1}, None, None]


async def test_additional_fields_of_a_representation_are_ignored(graph: GraphClient) -> None:
    of = representation("Bot", 1) | {"name": "whatever", "botId": 5}
    data = await graph.as_(principal(TRADER)).data(ENTITIES, of=[of])
    assert data["_entities"] == [{"__typename": "Bot", "botId": 1}]


async def test_fifty_representations_take_one_statement_per_type(graph: GraphClient, statements: Count) -> None:
    admin = graph.as_(principal(ADMIN, admin=True))
    of = [representation("Symbol", 1)] * 20 + [representation("Order", key) for key in range(1, 11)]
    of += [representation("Bot", key) for key in (1, 6, 1, 2)] + [representation("User", key) for key in (1, 2, 3, 2)]
    of += [representation("Exchange", key) for key in (20, 21, 30, 20)] + [representation("CatExchange", 1)] * 8
    assert len(of) == 50
    with statements() as sql:
        data = await admin.data(ENTITIES, of=of)
    assert [entity["__typename"] for entity in data["_entities"]] == [one["__typename"] for one in of]
    assert len(sql) == len(EVERY_TYPE)


async def test_more_than_a_thousand_representations_are_bad_user_input(graph: GraphClient) -> None:
    answer = await graph.as_(principal(TRADER)).ask(ENTITIES, of=[representation("Symbol", 1)] * 1001)
    assert answer.codes == ["BAD_USER_INPUT"]
