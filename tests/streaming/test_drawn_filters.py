"""Streams with drawn filters: a client that applies the events has the rows that PostgreSQL selects with the filter."""

from __future__ import annotations

import os
from itertools import count
from typing import Any, Final

from graphql import Undefined
from graphql.utilities import coerce_input_value
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from fullon_graphql import models
from fullon_graphql.database import Database
from fullon_graphql.engine.lists.filters import Filter
from fullon_graphql.engine.lists.row_matching import matcher
from fullon_graphql.engine.model.entities import required_entity
from fullon_graphql.errors import BadUserInput
from fullon_graphql.graph import make_graph
from tests.engine.operations import Drawing
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER, order
from tests.streaming.test_filtered_changes import listening
from tests.streaming.test_row_changes import take, write
from tests.streaming.test_row_snapshots import apply, snapshot

SCHEMA = make_graph().core
LIST: Final = "query ($filter: OrderFilter) { orders(first: 1000, filter: $filter) { nodes { id orderId status } } }"
VALUES: Final[dict[str, list[Any]]] = {
    "status": ["open", "New", "filled", "_OLD", "100%", ""],
    "bot_id": [1, 2, 3],
    "symbol": ["BTC/USD", "GOLD"],
    "side": ["buy", "Sell"],
    "volume": [1.5, 100.0, 1e300],
    "price": [None, 100.0, 0.1],
    "ex_order_id": [None, "open", "%o%"],
}
markers = count(1_000)
"""Keys of orders, one for each example. Their events are the last."""


@st.composite
def any_filter(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A filter of orders that a stream may have, and columns of an order that matches it."""
    type_: Any = SCHEMA.type_map["OrderFilter"]
    drawn = Drawing(SCHEMA, draw).input(type_, 3)
    coerced = coerce_input_value(drawn, type_)
    assume(coerced is not Undefined)
    try:
        matcher(required_entity("Order"), Filter.read(required_entity("Order"), coerced))
    except BadUserInput:
        assume(False)
    marker = next(markers)
    return {"or": [drawn, {"orderId": {"eq": marker}}]}, {"order_id": marker}


@st.composite
def selective_filter(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same for a value that the changes write, so that rows enter the filter and leave it."""
    name, field = draw(st.sampled_from([("status", "status"), ("bot_id", "botId"), ("symbol", "symbol")]))
    value = draw(st.sampled_from(VALUES[name]))
    return {field: draw(st.sampled_from([{"eq": value}, {"in": [value]}]))}, {"order_id": next(markers), name: value}


@st.composite
def changes(draw: Any) -> Any:
    """The statement that writes a row, or deletes it."""
    key = draw(st.integers(1, 3) | st.integers(100, 102))
    if draw(st.integers(1, 5)) == 1:
        return delete(models.Order).where(models.Order.order_id == key)
    columns = draw(st.lists(st.sampled_from([*VALUES]), max_size=3, unique=True))
    values = {name: draw(st.sampled_from(VALUES[name])) for name in columns}
    return (
        insert(models.Order)
        .values(order(key, 1, TRADER) | values)
        .on_conflict_do_update("orders_pk", set_=values or {"status": "open"})
    )


@settings(
    max_examples=int(os.environ.get("DIFFERENTIAL_EXAMPLES", "150")) // 6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(
    drawn=any_filter() | selective_filter(),
    transactions=st.lists(st.lists(changes(), min_size=1, max_size=3), max_size=5),
)
async def test_events_of_a_filtered_stream_lead_to_the_rows_of_the_filtered_list(
    graph: GraphClient, platform: Database, drawn: tuple[dict[str, Any], dict[str, Any]], transactions: list[list[Any]]
) -> None:
    trader, rows = graph.as_(principal(TRADER)), dict[str, Any]()
    filter_, marker = drawn
    async with listening(trader, filter=filter_, snapshot=True) as events:
        for event in await snapshot(events):
            apply(rows, event)
        for statements in transactions:
            await write(platform, *statements)
        await write(platform, insert(models.Order).values(order(**{"bot_id": 1, "uid": TRADER} | marker)))
        while not event["order"] or event["order"]["orderId"] != marker["order_id"]:
            [event] = await take(events, 1)
            apply(rows, event)
    listed = await trader.data(LIST, filter=filter_)
    assert rows == {one["id"]: one for one in listed["orders"]["nodes"]}
