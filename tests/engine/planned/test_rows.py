"""Rows: the members of an entity's JSON object are read from its declarations."""

from __future__ import annotations

import pytest

from fullon_graphql.engine.model.entities import entity_named
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.rows import (
    Id,
    Many,
    Member,
    One,
    Paged,
    Placeholder,
    Row,
    TypeName,
    Value,
    paged_of,
    row_of,
)
from fullon_graphql.graph import Graph
from tests.engine.planning import selected


def row(schema: Graph, type_name: str, fields: str) -> Row:
    [node] = selected(schema, f'{{ node(id: "x") {{ ... on {type_name} {{ {fields} }} }} }}')
    entity = entity_named(type_name)
    assert entity is not None
    return row_of(entity, node.possible[type_name])


def members(schema: Graph, type_name: str, fields: str) -> dict[str, Member]:
    return dict(row(schema, type_name, fields).keys)


def test_column_is_required_if_non_null_and_has_the_choices_of_its_enum(schema: Graph) -> None:
    found = members(schema, "Order", "key: orderId side price")
    assert {name: (one.name, one.required, one.choices) for name, one in found.items() if isinstance(one, Value)} == {
        "key": ("order_id", True, None),
        "side": ("side", True, frozenset({"BUY", "SELL"})),
        "price": ("price", False, None),
    }  # fmt: skip


def test_every_kind_of_field_has_its_member(schema: Graph) -> None:
    found = members(schema, "Bot", "__typename id name user { mail } exchanges { name } orders { totalCount }")
    assert [type(one) for one in found.values()] == [TypeName, Id, Value, One, Many, Paged]
    assert type(members(schema, "Order", "ticker { price }")["ticker"]) is Placeholder


def test_relation_is_required_if_non_null(schema: Graph) -> None:
    found = members(schema, "Order", "user { uid } bot { botId }")
    assert {name: one.required for name, one in found.items() if isinstance(one, One)} == {"user": True, "bot": False}  # fmt: skip


def test_connection_has_rows_for_nodes_and_edges_and_names_for_other_fields(schema: Graph) -> None:
    [bots] = selected(schema, "{ bots { n: nodes { name } edges { c: cursor node { uid } } pageInfo { m: hasNextPage } totalCount } }")  # fmt: skip
    entity = entity_named("Bot")
    assert entity is not None
    found = dict(paged_of(None, entity, bots).keys)
    assert {key: one.name for key, one in found.items()} == {"n": "nodes", "edges": "edges", "pageInfo": "pageInfo", "totalCount": "totalCount"}  # fmt: skip
    nodes, edges = found["n"].row, found["edges"].row
    assert nodes is not None
    assert edges is not None
    assert [key for key, _ in nodes.keys] == ["name"]
    assert [key for key, _ in edges.keys] == ["uid"]
    assert found["edges"].keys == (("c", "cursor"), ("node", "node"))
    assert found["pageInfo"].keys == (("m", "hasNextPage"),)


def test_edges_with_two_nodes_fall_back(schema: Graph) -> None:
    with pytest.raises(Fallback, match="several nodes"):
        row(schema, "Bot", "orders { edges { a: node { side } b: node { side } } }")


def test_every_field_of_every_entity_is_planned(schema: Graph) -> None:
    for name in ("User", "Bot", "Order", "Exchange", "CatExchange", "Symbol"):
        for field, definition in schema.core.type_map[name].fields.items():  # type: ignore[attr-defined]  # object types
            arguments = "(timeframe: H1)" if "timeframe" in definition.args else ""
            inside = "" if str(definition.type).strip("[]!") in {"ID", "Int", "Float", "String", "Boolean", "DateTime", "Role", "OrderSide"} else " { __typename }"  # fmt: skip
            assert members(schema, name, f"{field}{arguments}{inside}")
