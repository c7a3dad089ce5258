"""Streams with a filter: changes of matching rows, and rows that leave the filter."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, update

from fullon_graphql import models
from fullon_graphql.database import Database
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.lists.filters import Filter
from fullon_graphql.engine.model.entities import required_entity
from fullon_graphql.services.change_feed.mailbox import Mailbox
from fullon_graphql.services.change_feed.table import Change, ChangeKind, Interest, Position
from fullon_graphql.streaming import filtered_changes
from fullon_graphql.streaming.filtered_changes import FilterIndex, Screen, SeenChange, _Group, filtered_feed
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER, add, order
from tests.streaming.test_row_changes import listening as listening_to_feed
from tests.streaming.test_row_changes import refusal, status, take, write
from tests.streaming.test_row_snapshots import apply, snapshot

ORDERS = """
subscription ($after: String, $snapshot: Boolean! = false, $filter: OrderFilter, $changed: [OrderColumn!]) {
  orders(after: $after, snapshot: $snapshot, filter: $filter, changed: $changed) {
    cursor kind rowId order { id orderId status }
  }
}
"""
OPEN = {"status": {"eq": "open"}}


def listening(graph: GraphClient, **variables: Any) -> Any:
    return listening_to_feed(graph, ORDERS, **variables)


async def kinds(events: Any, count: int) -> list[tuple[str, str]]:
    """The kind and the row of each event."""
    return [(event["kind"], event["rowId"]) for event in await take(events, count)]


def row(number: int) -> str:
    return opaque_ids.encode("Order", number)


async def test_filter_delivers_matching_rows_and_rows_that_leave_it(graph: GraphClient, platform: Database) -> None:
    async with listening(graph.as_(principal(TRADER)), filter=OPEN) as events:
        await add(platform, models.Order, order(100, 1, TRADER, status="New"))  # known from here on
        await write(platform, status(100, "pending"))
        await write(platform, status(100, "open"))
        await write(platform, status(100, "filled"))
        await write(platform, status(100, "canceled"))
        await add(platform, models.Order, order(101, 1, TRADER, status="open"))
        await write(platform, delete(models.Order).where(models.Order.order_id == 101))
        await add(platform, models.Order, order(102, 1, TRADER, status="open"))
        received: list[tuple[str, str]] = []
        while not received or received[-1] != ("CREATED", row(102)):
            received += await kinds(events, 1)
    state: dict[str, str] = {}
    for kind, id_ in received:
        state[id_] = kind
    assert state == {row(100): "DELETED", row(101): "DELETED", row(102): "CREATED"} or state == {
        row(101): "DELETED",
        row(102): "CREATED",
    }  # several changes of one row may have been read at once


async def test_changes_that_are_read_one_by_one_are_judged_exactly(graph: GraphClient, platform: Database) -> None:
    trader = graph.as_(principal(TRADER))
    async with listening(trader, filter=OPEN) as events:
        await add(platform, models.Order, order(100, 1, TRADER, status="New"))
        await _read(graph, 100, "New")
        for text in ("pending", "open", "filled", "canceled", "New", "open"):
            await write(platform, status(100, text))
            await _read(graph, 100, text)
        received = await kinds(events, 3)
    assert received == [(kind, row(100)) for kind in ("UPDATED", "DELETED", "UPDATED")]


async def _read(graph: GraphClient, number: int, text: str) -> None:
    """Wait until the worker has read this state of an order."""
    feed = filtered_feed(graph.worker, required_entity("Order"))
    await eventually(lambda: feed.reader is not None and (feed.reader.known((number,)) or {}).get("status") == text)


async def test_unknown_row_that_does_not_match_is_deleted_once(graph: GraphClient, platform: Database) -> None:
    trader = graph.as_(principal(TRADER))
    async with listening(trader, filter={"status": {"eq": "lost"}}) as events:
        for text in ("a", "b"):
            await write(platform, status(1, text))
            await _read(graph, 1, text)
        await write(platform, status(2, "lost"))
        assert await kinds(events, 2) == [("DELETED", row(1)), ("UPDATED", row(2))]


async def test_columns_that_the_feed_has_are_known_without_a_former_row(graph: GraphClient, platform: Database) -> None:
    async with listening(graph.as_(principal(TRADER)), filter={"botId": {"eq": 2}}) as events:
        for number in (2, 3, 1):  # of the bots 3, 4 and 2
            await write(platform, status(number, "changed"))
        assert await kinds(events, 1) == [("UPDATED", row(1))]
        await write(platform, update(models.Order).where(models.Order.order_id == 1).values(bot_id=3))
        assert await kinds(events, 1) == [("DELETED", row(1))]


async def test_list_and_stream_with_one_filter_stay_equal(graph: GraphClient, platform: Database) -> None:
    """Also over a lost connection, in which a row has entered the filter and left it."""
    trader, rows = graph.as_(principal(TRADER)), dict[str, Any]()
    async with listening(trader, filter=OPEN, snapshot=True) as events:
        for event in await snapshot(events):
            apply(rows, event)
    cursor = event["cursor"]
    await write(platform, status(1, "open"), status(2, "filled"))
    await write(platform, status(1, "filled"))
    await write(platform, status(3, "open"))
    async with listening(trader, filter=OPEN, after=cursor) as events:
        while event["rowId"] != row(3):
            [event] = await take(events, 1)
            apply(rows, event)
    listed = await trader.data(
        '{ orders(first: 1000, filter: {status: {eq: "open"}}) { nodes { id orderId status } } }'
    )
    assert rows == {one["id"]: one for one in listed["orders"]["nodes"]}


async def test_changed_leaves_out_updates_of_other_columns(graph: GraphClient, platform: Database) -> None:
    async with listening(graph.as_(principal(TRADER)), changed=["STATUS"]) as events:
        await write(platform, status(1, "a"))
        assert await kinds(events, 1) == [("UPDATED", row(1))]
        await _read(graph, 1, "a")
        await write(platform, update(models.Order).where(models.Order.order_id == 1).values(price=5))
        await write(platform, status(2, "b"))
        assert await kinds(events, 1) == [("UPDATED", row(2))]
        await write(platform, status(1, "c"))
        assert await kinds(events, 1) == [("UPDATED", row(1))]
        await write(platform, delete(models.Order).where(models.Order.order_id == 1))
        assert await kinds(events, 1) == [("DELETED", row(1))]


async def test_remembered_rows_are_bounded_in_bytes_and_read_in_parts(
    graph: GraphClient, platform: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtered_changes, "KNOWN_BYTES", 5_000)
    monkeypatch.setattr(filtered_changes, "ROWS_PER_READ", 2)
    orders = [*range(100, 110)]
    async with listening(graph.as_(principal(TRADER)), filter=OPEN) as events:
        for number in orders:
            await add(platform, models.Order, order(number, 1, TRADER, status="open"))
        received = await take(events, len(orders))
        reader = filtered_feed(graph.worker, required_entity("Order")).reader
        assert reader is not None
        assert [reader.known((number,)) is not None for number in (orders[0], orders[-1])] == [False, True]
    async with listening(graph.as_(principal(TRADER)), filter=OPEN, after=received[0]["cursor"]) as events:
        assert await take(events, len(orders) - 1) == received[1:]


async def test_order_of_texts_is_refused(graph: GraphClient, platform: Database) -> None:
    answer = await refusal(graph.as_(principal(TRADER)), ORDERS, filter={"status": {"lt": "x"}})
    assert (answer.codes, answer.errors[0]["extensions"]["field"]) == (["BAD_USER_INPUT"], "filter")


def group(given: dict[str, Any], uid: int | None = None) -> _Group:
    entity = required_entity("Order")
    interest = Interest(models.Order, uid)
    return _Group(interest, Screen(entity, Filter.read(entity, given)), Mailbox(interest, Position(0, 0)))


def seen(after: dict[str, Any], before: dict[str, Any] | None = None) -> SeenChange:
    change = Change(Position(5, 1), "orders", ChangeKind.UPDATED, {"order_id": 1}, TRADER, 1, 0.0)
    return SeenChange(change, before or after, after, is_exact=True)


def test_filters_on_a_value_are_found_without_evaluating_the_others() -> None:
    index = FilterIndex()
    groups = [group({"botId": {"eq": number}, "status": {"ne": "x"}}) for number in range(1_000)]
    for one in groups:
        index.add(one)
    change = seen({"bot_id": 7, "status": "open"}, {"bot_id": 7, "status": "New"})
    assert [found for found, _ in index.deliveries(change)] == [groups[7]]
    assert index.evaluations == 1
    for one in groups:
        index.remove(one)
    assert not any((index._by_value, index._by_column, index._others, index._columns))


def test_equal_filters_of_several_owners_are_evaluated_once() -> None:
    index = FilterIndex()
    for uid in (None, TRADER, TRADER):
        index.add(group({"price": {"gt": 1.0}}, uid))
    assert len(list(index.deliveries(seen({"price": 2.0})))) == 3
    assert index.evaluations == 1
