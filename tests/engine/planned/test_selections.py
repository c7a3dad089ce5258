"""Selections: response keys after fragments, directives and repetitions are resolved."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.selections import Selection, condition_variables
from fullon_graphql.graph import Graph
from fullon_graphql.ohlcv.timeframes import Timeframe
from tests.engine.planning import document, selected


def shape(selections: tuple[Selection, ...]) -> dict[str, Any]:
    """Response keys with their field names, recursively."""
    return {
        selection.key: {name: shape(children) for name, children in selection.possible.items()}
        or shape(selection.children)
        or selection.name
        for selection in selections
    }


def test_aliases_are_response_keys_in_document_order(schema: Graph) -> None:
    found = selected(schema, "{ b: me { z: uid mail } a: me { uid } }")
    assert shape(found) == {"b": {"z": "uid", "mail": "mail"}, "a": {"uid": "uid"}}
    assert [selection.key for selection in found] == ["b", "a"]


def test_fields_with_one_response_key_are_merged_recursively(schema: Graph) -> None:
    text = "{ me { bots { nodes { name } } uid } ... { me { bots { totalCount nodes { botId name } } } } }"
    assert shape(selected(schema, text)) == {
        "me": {"bots": {"nodes": {"name": "name", "botId": "botId"}, "totalCount": "totalCount"}, "uid": "uid"}
    }


def test_named_inline_and_nested_fragments_are_resolved(schema: Graph) -> None:
    text = """{ me { ...person ... on User { name } ... { note } ...never @include(if: false) } }
        fragment person on User { uid ...address } fragment address on User { mail }
        fragment never on User { phone }"""
    assert shape(selected(schema, text)) == {"me": {name: name for name in ("uid", "mail", "name", "note")}}


def test_interface_has_selections_for_each_possible_type(schema: Graph) -> None:
    text = """{ node(id: "x") { id ... on Bot { name } ... on Node { __typename } ...order } }
        fragment order on Order { side ... on Node { again: id } }"""
    [node] = selected(schema, text)
    common = {"id": "id", "__typename": "__typename"}
    found = {name: shape(children) for name, children in node.possible.items()}
    assert found["Bot"] == {"id": "id", "name": "name", "__typename": "__typename"}
    assert found["Order"] == {**common, "side": "side", "again": "id"}
    assert found["User"] == common
    assert node.children == ()


def test_union_has_selections_for_each_possible_type(schema: Graph) -> None:
    text = """{ _entities(representations: []) { __typename ... on Bot { name } ... on Node { id } } }"""
    [entities] = selected(schema, text)
    found = {name: shape(children) for name, children in entities.possible.items()}
    assert found["Bot"] == {"__typename": "__typename", "name": "name", "id": "id"}
    assert found["Symbol"] == {"__typename": "__typename", "id": "id"}
    assert not entities.is_single


CONDITIONS = """query ($a: Boolean!, $b: Boolean!) { me {
    plain: uid in: uid @include(if: $a) out: uid @skip(if: $a) both: uid @include(if: $a) @skip(if: $b)
    never: uid @skip(if: true) ... @include(if: $b) { name } ...F @skip(if: $b) } }
    fragment F on User { mail @include(if: $a) }"""


@pytest.mark.parametrize(
    ("a", "b", "keys"),
    [
        (True, True, ["plain", "in", "name"]),
        (True, False, ["plain", "in", "both", "mail"]),
        (False, True, ["plain", "out", "name"]),
        (False, False, ["plain", "out"]),
    ],
)
def test_conditions_decide_which_fields_are_selected(schema: Graph, *, a: bool, b: bool, keys: list[str]) -> None:
    [me] = selected(schema, CONDITIONS, a=a, b=b)
    assert [child.key for child in me.children] == keys


def test_condition_variables_include_those_of_fragments(schema: Graph) -> None:
    found = document(schema, CONDITIONS.replace("$b", "$z").replace("plain: uid", "bots(first: $n) { totalCount }")
                     .replace("($a", "($n: Int, $a"))  # fmt: skip
    [operation] = found.operations.values()
    assert condition_variables(operation, found.fragments.values()) == ("a", "z")


def test_arguments_have_python_names_and_omit_those_not_given(schema: Graph) -> None:
    text = """query ($n: Int, $from: DateTime, $none: Int) { bots(first: $n, last: $none) { totalCount }
        candles(exchange: "x", symbol: "y", timeframe: H1, from: $from, fill: null) { close } me { uid } }"""
    bots, candles, me = selected(schema, text)
    time = datetime(2026, 1, 1, tzinfo=UTC)
    variables = {"n": 3, "from": time}
    assert bots.arguments(variables) == {"first": 3}
    assert candles.arguments(variables) == {
        "exchange": "x", "symbol": "y", "timeframe": Timeframe.H1, "from_": time, "fill": None
    }  # fmt: skip
    assert me.arguments(variables) == {}


@pytest.mark.parametrize("text", ["{ __schema { types { name } } }", '{ __type(name: "Bot") { name } }'])
def test_introspection_falls_back(schema: Graph, text: str) -> None:
    with pytest.raises(Fallback, match="introspection"):
        selected(schema, text)
