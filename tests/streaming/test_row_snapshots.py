"""Streams that begin with their rows: a client that keeps them by `rowId` has the list at any time."""

from __future__ import annotations

from typing import Any

import pytest

from fullon_graphql import models
from fullon_graphql.database import Database
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.services.change_feed.table import Position
from fullon_graphql.streaming import row_snapshots
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import OTHER, TRADER, add, order
from tests.streaming.test_row_changes import listening, one_by_one, refusal, status, take, write

ORDERS = """
subscription ($botId: Int, $after: String, $snapshot: Boolean! = true) {
  orders(botId: $botId, after: $after, snapshot: $snapshot) { cursor kind rowId order { id orderId status } }
}
"""
LIST = "{ orders(first: 1000) { nodes { id orderId status } } }"


def apply(rows: dict[str, Any], event: dict[str, Any]) -> None:
    """The rule for clients."""
    if event["order"]:
        rows[event["rowId"]] = event["order"]
    else:
        rows.pop(event["rowId"], None)


async def snapshot(events: Any) -> list[dict[str, Any]]:
    """All events up to the end of the snapshot."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["kind"] != "SNAPSHOT_END":
        found += await take(events, 1)
    return found


async def listed(graph: GraphClient) -> dict[str, Any]:
    return {row["id"]: row for row in (await graph.data(LIST))["orders"]["nodes"]}


async def test_snapshot_has_the_rows_of_the_list_then_its_end_then_changes(
    graph: GraphClient, platform: Database
) -> None:
    trader, rows = graph.as_(principal(TRADER)), dict[str, Any]()
    async with listening(trader, ORDERS) as events:
        *found, end = await snapshot(events)
        for event in found:
            apply(rows, event)
        assert {event["kind"] for event in found} == {"SNAPSHOT"}
        assert (end["rowId"], end["order"]) == (None, None)
        assert [*rows.items()] == [*(await listed(trader)).items()]

        await write(platform, status(1, "filled"))
        await add(platform, models.Order, order(100, 1, TRADER))
        async with platform.transaction() as connection:
            await connection.exec_driver_sql("DELETE FROM orders WHERE order_id = 2")
        changed = await take(events, 3)
    for event in changed:
        apply(rows, event)
    assert [event["kind"] for event in changed] == ["UPDATED", "CREATED", "DELETED"]
    assert changed[-1]["rowId"] == opaque_ids.encode("Order", 2)
    assert rows == await listed(trader)


def test_row_of_a_snapshot_precedes_every_change() -> None:
    """Otherwise live events that precede the snapshot would replace rows that are still on their way."""
    cursor = row_snapshots.SnapshotCursor(Position(7, 3), (1,)).text
    assert row_snapshots.order_of(cursor) < row_snapshots.order_of("0-1")
    assert row_snapshots.position_of(cursor) == Position(7, 3)


async def test_snapshot_of_a_bot_has_its_rows_only(graph: GraphClient, platform: Database) -> None:
    async with listening(graph.as_(principal(TRADER)), ORDERS, botId=3) as events:
        *found, _end = await snapshot(events)
    ids = {event["order"]["orderId"] for event in found}
    expected = await platform.rows(models.Order.__table__.select().where(models.Order.bot_id == 3))
    assert ids == {row.order_id for row in expected} != set()


async def test_change_during_the_snapshot_follows_it(graph: GraphClient, platform: Database) -> None:
    """A transaction that has begun before the snapshot and ends during it."""
    trader, rows = graph.as_(principal(TRADER)), dict[str, Any]()
    async with platform.transaction() as connection:
        await connection.execute(status(1, "late"))
        events = one_by_one(trader, ORDERS)
        for event in await take(events, 3):
            apply(rows, event)
    for event in await snapshot(events):
        apply(rows, event)
    for event in await take(events, 1):
        apply(rows, event)
    await events.aclose()
    assert rows == await listed(trader)


async def test_cursor_of_a_row_continues_the_snapshot(graph: GraphClient, platform: Database) -> None:
    trader, rows = graph.as_(principal(TRADER)), dict[str, Any]()
    async with listening(trader, ORDERS) as events:
        first = await take(events, 3)
    await write(platform, status(first[0]["order"]["orderId"], "changed"))

    async with listening(trader, ORDERS, after=first[-1]["cursor"]) as events:
        rest = await snapshot(events)
        [changed] = await take(events, 1)
    for event in (*first, *rest, changed):
        apply(rows, event)
    assert not {event["rowId"] for event in first} & {event["rowId"] for event in rest}
    assert rows == await listed(trader)


async def test_cursor_after_the_end_resumes_without_rows(graph: GraphClient, platform: Database) -> None:
    trader = graph.as_(principal(TRADER))
    async with listening(trader, ORDERS) as events:
        end = (await snapshot(events))[-1]
    await write(platform, status(1, "changed"))
    async with listening(trader, ORDERS, after=end["cursor"]) as events:
        [event] = await take(events, 1)
    assert (event["kind"], event["order"]["status"]) == ("UPDATED", "changed")


async def test_snapshot_beyond_the_limit_is_bad_user_input(
    graph: GraphClient, platform: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_snapshots, "LARGEST", 3)
    answer = await refusal(graph.as_(principal(TRADER)), ORDERS)
    assert (answer.codes, answer.errors[0]["extensions"]["field"]) == (["BAD_USER_INPUT"], "snapshot")


@pytest.mark.parametrize("row", ["", "x", opaque_ids.encode("x"), opaque_ids.encode(1, 2)])
async def test_invalid_row_in_a_cursor_is_bad_user_input(graph: GraphClient, platform: Database, row: str) -> None:
    answer = await refusal(graph.as_(principal(TRADER)), ORDERS, after=f"1-1.{row}")
    assert (answer.codes, answer.errors[0]["extensions"]["field"]) == (["BAD_USER_INPUT"], "after")


async def test_snapshots_share_the_stream_of_live_events(graph: GraphClient, platform: Database) -> None:
    trader = graph.as_(principal(TRADER))
    async with (
        listening(trader, ORDERS, snapshot=False) as live,
        listening(trader, ORDERS) as one,
        listening(trader, ORDERS) as other,
    ):
        for events in (one, other):
            await snapshot(events)
        assert len(graph.streams._streams) == 3
        seen = []
        for number in range(1, 6):  # each of the two joins the shared stream, then leaves its own
            await write(platform, status(number, "changed"))
            seen.append([(await take(events, 1))[0]["order"]["orderId"] for events in (live, one, other)])
        await eventually(lambda: len(graph.streams._streams) == 1)
        await write(platform, status(6, "changed"))
        seen.append([(await take(events, 1))[0]["order"]["orderId"] for events in (live, one, other)])
    assert seen == [[number] * 3 for number in range(1, 7)]


async def test_rows_of_every_stream_come_as_a_snapshot(graph: GraphClient, platform: Database) -> None:
    admin = graph.as_(principal(OTHER, admin=True))
    await admin.data('mutation { createBot(input: {name: "new"}) { botId } }')
    for field, row in (
        ("trades", "trade"),
        ("dryTrades", "dryTrade"),
        ("botLogs", "botLog"),
        ("auditLog", "auditEntry"),
    ):
        async with listening(
            admin, f"subscription {{ {field}(snapshot: true) {{ kind rowId {row} {{ id }} }} }}"
        ) as events:
            *found, _end = await snapshot(events)
        rows = (await admin.data(f"{{ {field}(first: 1000) {{ nodes {{ id }} }} }}"))[field]["nodes"]
        assert [event[row] for event in found] == rows != []
        assert [event["rowId"] for event in found] == [one["id"] for one in rows]
