"""A list and its stream joined by the list's `cursor`: every change is in the rows, or follows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Executable, Row

from fullon_graphql.database import Database
from fullon_graphql.engine.operations import OperationExecutor
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER
from tests.streaming.test_row_changes import listening, status, take, write

LIST = "{ orders(first: 1000) { cursor nodes { orderId status } } }"
BELOW_BOTS = """
{ bots { nodes { any: orders(first: 2) { nodes { status } } orders(first: 2) { ...joined nodes { orderId status } } } } }
fragment joined on OrderConnection { cursor }
"""


@pytest.fixture(params=["plan", "reference"])
def trader(graph: GraphClient, platform: Database, request: pytest.FixtureRequest) -> GraphClient:
    operations = OperationExecutor(graph.graph.core, planning=request.param == "plan")
    return replace(graph.as_(principal(TRADER)), operations=operations)


async def test_change_of_a_transaction_that_runs_during_the_list_follows_its_cursor(
    trader: GraphClient, platform: Database
) -> None:
    async with platform.transaction() as connection:
        await connection.execute(status(1, "older"))
        await write(platform, status(2, "newer"))
        found = (await trader.data(LIST))["orders"]
    statuses = {order["orderId"]: order["status"] for order in found["nodes"]}
    assert (statuses[1] == "older", statuses[2]) == (False, "newer")

    async with listening(trader, after=found["cursor"]) as events:
        followed = await take(events, 2)
    assert [event["order"] for event in followed] == [
        {"orderId": 1, "status": "older"},
        {"orderId": 2, "status": "newer"},  # in the rows already, and after an unfinished transaction in the feed
    ]


async def test_list_of_a_quiet_database_has_every_earlier_change(trader: GraphClient, platform: Database) -> None:
    await write(platform, status(1, "before"))
    cursor = (await trader.data(LIST))["orders"]["cursor"]
    await write(platform, status(2, "after"))
    async with listening(trader, after=cursor) as events:
        assert [event["order"]["orderId"] for event in await take(events, 1)] == [2]


async def test_change_between_the_cursor_and_the_rows_is_not_lost(
    trader: GraphClient, platform: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each list of orders is changed after it has been read, also before another list is read."""
    read, changes = Database.rows, 0

    async def read_and_change(
        self: Database, statement: Executable, parameters: dict[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        nonlocal changes
        rows = await read(self, statement, parameters)
        if "orders" in str(statement):
            changes += 1
            await write(platform, *(status(number, f"change {changes}") for number in range(1, 40)))
            await asyncio.sleep(0)
        return rows

    monkeypatch.setattr(Database, "rows", read_and_change)
    bots = (await trader.data(BELOW_BOTS))["bots"]["nodes"]
    monkeypatch.undo()

    await write(platform, status(40, "last"))
    stored = {order["orderId"]: order["status"] for order in (await trader.data(LIST))["orders"]["nodes"]}
    for orders in (bot["orders"] for bot in bots if bot["orders"]["nodes"]):
        statuses = {order["orderId"]: order["status"] for order in orders["nodes"]}
        async with listening(trader, after=orders["cursor"]) as events:
            async for event in events:
                if event["order"]["orderId"] in statuses:
                    statuses[event["order"]["orderId"]] = event["order"]["status"]
                if event["order"]["orderId"] == 40:
                    break
        assert statuses == {number: stored[number] for number in statuses}


async def test_cursor_of_an_empty_feed_is_before_the_first_change(trader: GraphClient, platform: Database) -> None:
    async with platform.transaction() as connection:
        await connection.exec_driver_sql("DELETE FROM fullon_graphql.changes")
    cursor = (await trader.data(LIST))["orders"]["cursor"]
    await write(platform, status(1, "first"))
    async with listening(trader, after=cursor) as events:
        assert [event["order"]["orderId"] for event in await take(events, 1)] == [1]
