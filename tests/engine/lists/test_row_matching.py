"""Filters evaluated in Python give the results of PostgreSQL, for drawn filters and all rows."""

from __future__ import annotations

from typing import Any

import pytest
from graphql.utilities import coerce_input_value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullon_graphql import models
from fullon_graphql.database import Database
from fullon_graphql.engine.lists.filters import Filter
from fullon_graphql.engine.lists.row_matching import equality, matcher
from fullon_graphql.engine.model.entities import Entity, required_entity
from fullon_graphql.engine.model.relations import versions
from fullon_graphql.errors import BadUserInput
from fullon_graphql.graph import make_graph
from tests.engine.operations import Drawing
from tests.engine.planning import add_invalid, add_strangers
from tests.fixtures.graph import principal
from tests.fixtures.rows import ADMIN, OTHER, add, order

SCHEMA = make_graph().core
STREAMED = ("Order", "Trade", "DryTrade", "BotLog")
TEXT_ORDER = "of a text"


@st.composite
def filters(draw: Any) -> tuple[str, dict[str, Any]]:
    """An entity with a stream, and a filter of its rows as the executors receive it."""
    name = draw(st.sampled_from(STREAMED))
    type_: Any = SCHEMA.type_map[f"{name}Filter"]
    return name, coerce_input_value(Drawing(SCHEMA, draw).input(type_, 3), type_)


async def rows_of(database: Database, entity: Entity) -> dict[Any, dict[str, Any]]:
    """The rows as streams with a filter read them, by key."""
    found = await database.rows(entity.rows(principal(ADMIN, admin=True)))
    keys = list(dict.fromkeys(entity.key_of(entity.build(dict(row._mapping))) for row in found))
    rows = await database.rows(versions(entity, keys, entity.searchable))
    return {keys[row.parent_place - 1]: {name: row._mapping[name] for name in entity.searchable} for row in rows}


@pytest.fixture
async def world(platform: Database) -> Database:
    await add(platform, models.Order, order(61, 6, OTHER, volume=float("nan"), status="100%"))
    await add_strangers(platform)
    await add_invalid(platform)
    return platform


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(drawn=filters())
async def test_python_matches_the_rows_that_postgresql_matches(world: Database, drawn: tuple[str, Any]) -> None:
    name, given_ = drawn
    entity = required_entity(name)
    try:
        filter_ = Filter.read(entity, given_)
        matches = matcher(entity, filter_)
    except BadUserInput as refused:
        assert TEXT_ORDER in str(refused) or "in `filter`" in str(refused)  # noqa: PT017  # not every drawn one is refused
        return
    rows = await rows_of(world, entity)
    statement = entity.rows(principal(ADMIN, admin=True)).where(filter_.condition(entity))
    expected = {entity.key_of(entity.build(dict(row._mapping))) for row in await world.rows(statement)}
    assert {key for key, row in rows.items() if matches(row)} == expected
    term = equality(entity, filter_, frozenset())
    if term:
        assert all(rows[key][term[0]] in term[1] for key in expected)
    for key, row in rows.items():  # a part of a row decides nothing that the row contradicts
        part = {column: value for column, value in row.items() if column in entity.key_names}
        assert matches(part) in {None, key in expected}


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a%", "abc", True), ("%c", "abc", True), ("%b%", "abc", True), ("a_c", "abc", True), ("a_", "abc", False),
        ("a\\%", "a%", True), ("a\\%", "ab", False), ("%a%a", "aba", True), ("%a%a", "ab", False), ("", "", True),
        ("%", "a\nb", True), ("a%b%b", "ab", False), (".", "a", False),
    ],
)  # fmt: skip
def test_pattern_matches_as_in_postgresql(pattern: str, text: str, expected: bool) -> None:
    entity = required_entity("Order")
    assert matcher(entity, Filter.read(entity, {"status": {"like": pattern}}))({"status": text}) is expected


def test_pattern_with_many_wildcards_is_evaluated_in_linear_time() -> None:
    entity = required_entity("Order")
    matches = matcher(entity, Filter.read(entity, {"status": {"like": "%a" * 40 + "%b"}}))
    assert matches({"status": "a" * 20_000}) is False


def test_order_of_texts_is_refused() -> None:
    entity = required_entity("Order")
    with pytest.raises(BadUserInput, match=TEXT_ORDER):
        matcher(entity, Filter.read(entity, {"status": {"lt": "x"}}))
