"""Coordinates: which fields an operation selects, and which are to be removed."""

from __future__ import annotations

from datetime import date

import pytest
from graphql import build_schema

from fullon_graphql.engine.documents import syntax_of
from fullon_graphql.engine.trusted.coordinates import deprecated_fields, removal_date, selected_fields
from fullon_graphql.graph import Graph

DOCUMENTS = {
    "{ me { uid } }": {"Query.me", "User.uid"},
    "{ a: me { b: uid uid } me { mail } }": {"Query.me", "User.uid", "User.mail"},
    "{ __typename __schema { queryType { name } } }": set(),
    "{ bots { nodes { ...B } } } fragment B on Bot { name user { ...U } } fragment U on User { uid ... { mail } }": {
        "Query.bots", "BotConnection.nodes", "Bot.name", "Bot.user", "User.uid", "User.mail",
    },
    '{ node(id: "a") { id ... on Bot { name } ... @include(if: true) { __typename } } }': {
        "Query.node", "Node.id", "Bot.name",
    },
    "subscription { botStatus { status } }": {"Subscription.botStatus"},
    "mutation { logout }": {"Mutation.logout"},
}  # fmt: skip


@pytest.mark.parametrize("text", DOCUMENTS)
def test_every_selected_field_has_its_coordinate_once(schema: Graph, text: str) -> None:
    syntax = syntax_of(text)
    [operation] = syntax.operations.values()
    found = selected_fields(schema.core, operation, syntax.fragments)
    assert len(found) == len(set(found))
    assert DOCUMENTS[text] <= set(found)
    assert {name for name in found if not name.startswith(("BotStatus", "Subscription"))} <= DOCUMENTS[text] | {
        "Subscription.botStatus", "Mutation.logout",
    }  # fmt: skip


def test_deprecated_fields_are_found_with_their_reason() -> None:
    schema = build_schema('type Query { a: Int @deprecated(reason: "Use b. Removed after 2027-01-31.") b: Int }')
    assert deprecated_fields(schema) == {"Query.a": "Use b. Removed after 2027-01-31."}


@pytest.mark.parametrize(
    ("reason", "removed"),
    [
        ("Use b. Removed after 2027-01-31.", date(2027, 1, 31)),
        ("Removed after 2027-01-31.", date(2027, 1, 31)),
        ("Use b. Removed after 2027-02-30.", None),
        ("Use b. Removed after 2027-01-31", None),
        ("Removed after 2027-01-31. Use b.", None),
        ("No longer supported", None),
    ],
)
def test_removal_date_is_read_from_the_end_of_the_reason(reason: str, removed: date | None) -> None:
    assert removal_date(reason) == removed


def test_every_deprecated_field_has_a_date_of_removal(schema: Graph) -> None:
    undated = {field for field, reason in deprecated_fields(schema.core).items() if removal_date(reason) is None}
    assert undated == set()
