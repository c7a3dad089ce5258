"""Stored values that GraphQL's types do not have: the same in both executions and in REST, and never a whole list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fullon_graphql import models
from fullon_graphql.database import Database
from fullon_graphql.engine.model.global_ids import global_id
from fullon_graphql.engine.operations import OperationExecutor
from fullon_graphql.schema.orders import Order
from tests.engine.planning import add_invalid, run
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rest import Rest
from tests.fixtures.rows import OTHER, TRADER, add, order

FIRST, LAST = "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"
BEYOND = 2**31


@pytest.fixture
async def invalid(platform: Database) -> None:
    await add_invalid(platform)


async def both(graph: GraphClient, text: str, uid: int = OTHER, **variables: Any) -> Any:
    """The response, which must be the same by a plan (and its fallback) and by the reference."""
    as_ = graph.as_(principal(uid))
    _, planned = await run(as_, text, **variables)
    _, reference = await run(as_, text, OperationExecutor(graph.graph.core, planning=False), **variables)
    assert planned == reference
    return planned


def errors(answer: Any) -> list[tuple[str, Any]]:
    return [(error["extensions"]["code"], error["path"]) for error in answer["errors"]]


def order_id(key: int) -> str:
    row: Any = object.__new__(Order)
    row.order_id = key
    return global_id(row)


@pytest.mark.usefixtures("invalid")
async def test_times_are_clamped_to_the_years_1_to_9999(graph: GraphClient, rest: Rest) -> None:
    text = "query ($id: Int!) { order(orderId: $id) { timestamp } }"
    for key, time in {3: LAST, 4: LAST, 6: FIRST, 8: FIRST}.items():
        trace, answer = await run(graph.as_(principal(TRADER)), text, id=key)
        assert answer == {"data": {"order": {"timestamp": time}}}
        assert trace.fallback is None
        assert await both(graph, text, TRADER, id=key) == answer
        assert (await (await rest.as_(TRADER)).get(f"orm/orders/{key}"))["timestamp"] == time
    logs = await both(graph, "{ botLogs { nodes { timestamp } } }", TRADER)
    assert [row["timestamp"] for row in logs["data"]["botLogs"]["nodes"] if row["timestamp"] == LAST] == [LAST] * 2


@pytest.mark.usefixtures("invalid")
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("planning", [True, False])
async def test_pages_pass_times_that_are_clamped(graph: GraphClient, direction: str, planning: bool) -> None:
    text = """query ($after: String, $direction: SortDirection!) {
        orders(first: 1, after: $after, orderBy: [{ field: TIMESTAMP, direction: $direction }]) {
            nodes { orderId timestamp } pageInfo { hasNextPage endCursor }
        }
    }"""
    runner, as_ = OperationExecutor(graph.graph.core, planning=planning), graph.as_(principal(TRADER))
    seen: list[int] = []
    after, more = None, True
    while more:
        _, answer = await run(as_, text, runner, after=after, direction=direction)
        page = answer["data"]["orders"]
        seen += [row["orderId"] for row in page["nodes"]]
        assert len(seen) <= 40, "a page is repeated"
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert sorted(seen) == list(range(1, 41))
    ends = [6, 7, 8], [3, 4, 5]
    expected = ends if direction == "ASC" else ends[::-1]
    assert (seen[:3], seen[-3:]) == expected


@pytest.mark.usefixtures("invalid")
async def test_filters_compare_clamped_times(graph: GraphClient) -> None:
    text = "query ($time: DateTime) { orders(filter: { timestamp: { eq: $time } }) { nodes { orderId } } }"
    for time, keys in {LAST: [3, 4, 5], FIRST: [6, 7, 8]}.items():
        answer = await both(graph, text, TRADER, time=time)
        assert [row["orderId"] for row in answer["data"]["orders"]["nodes"]] == keys


@pytest.mark.usefixtures("invalid")
async def test_bot_log_beyond_the_year_9999_is_found_by_its_id(graph: GraphClient) -> None:
    listed = await both(graph, "{ botLogs { nodes { id message } } }", TRADER)
    for row in listed["data"]["botLogs"]["nodes"]:
        found = await both(
            graph, "query ($id: ID!) { node(id: $id) { ... on BotLog { message } } }", TRADER, id=row["id"]
        )
        assert found["data"]["node"] == {"message": row["message"]}


@pytest.mark.usefixtures("invalid")
async def test_invalid_value_of_a_nullable_field_is_null_with_an_error(graph: GraphClient, rest: Rest) -> None:
    answer = await both(graph, "{ trades { nodes { tradeId roi roiPct } } }")
    rows = {row["tradeId"]: row for row in answer["data"]["trades"]["nodes"]}
    assert rows[120]["roi"] is rows[121]["roiPct"] is None
    numbers = {key: place for place, key in enumerate(rows)}
    assert errors(answer) == [
        ("INTERNAL", ["trades", "nodes", numbers[120], "roi"]),
        ("INTERNAL", ["trades", "nodes", numbers[121], "roiPct"]),
    ]
    assert all(error["extensions"]["requestId"] == "tests" for error in answer["errors"])
    listed = {row["trade_id"]: row for row in await (await rest.as_(OTHER)).get("orm/trades/live")}
    assert listed[120]["roi"] is listed[121]["roi_pct"] is None
    assert listed[121]["time"] == LAST


async def test_row_with_an_invalid_value_of_a_required_field_is_left_out(
    graph: GraphClient, platform: Database, rest: Rest
) -> None:
    await add(platform, models.Order, order(60, 6, OTHER, volume=float("inf")), order(61, 6, OTHER, side="hold"))
    answer = await both(graph, "{ orders(first: 20) { nodes { orderId volume side } totalCount } }")
    assert [row["orderId"] for row in answer["data"]["orders"]["nodes"]] == [41, 42, 43, 44, 45]
    assert answer["data"]["orders"]["totalCount"] == 7
    assert errors(answer) == [("INTERNAL", ["orders", "nodes"])] * 2
    assert [error["extensions"]["row"] for error in answer["errors"]] == [order_id(60), order_id(61)]
    edges = await both(graph, "{ bots { nodes { name orders(first: 20) { edges { node { volume } } } } } }")
    [bot] = edges["data"]["bots"]["nodes"]
    assert len(bot["orders"]["edges"]) == 6
    assert errors(edges) == [("INTERNAL", ["bots", "nodes", 0, "orders", "edges"])]
    assert (await both(graph, "{ orders(first: 20) { nodes { orderId } } }"))["data"]["orders"]["nodes"][-1] == {
        "orderId": 61
    }
    listed = {row["order_id"]: row for row in await (await rest.as_(OTHER)).get("orm/orders")}
    assert (listed[60]["volume"], listed[61]["side"]) == (None, "hold")


async def test_row_whose_required_relation_is_missing_is_left_out(graph: GraphClient, platform: Database) -> None:
    await add(platform, models.Order, order(72, 2, 99, ex_id=20))
    as_ = principal(1, admin=True)
    _, answer = await run(graph.as_(as_), "{ orders(last: 2) { nodes { orderId user { uid } } } }")
    assert [row["orderId"] for row in answer["data"]["orders"]["nodes"]] == [45]
    assert errors(answer) == [("NOT_FOUND", ["orders", "nodes"])]


@pytest.mark.usefixtures("invalid")
async def test_stored_json_that_cannot_be_written_is_null_with_an_error(graph: GraphClient, rest: Rest) -> None:
    answer = await both(graph, "{ simulations { nodes { num json } } }")
    rows = {row["num"]: row["json"] for row in answer["data"]["simulations"]["nodes"]}
    assert rows[61] == {"trades": 1}
    assert rows[62] is rows[63] is rows[64] is None
    assert rows[65] == {"n": 0.1}
    assert [code for code, _ in errors(answer)] == ["INTERNAL"] * 3
    assert {path[-1] for _, path in errors(answer)} == {"json"}


@pytest.fixture
async def widened(platform: Database) -> AsyncIterator[Database]:
    """The platform with a key and a number of wider types than the models have."""
    statements = (
        "ALTER TABLE orders ALTER order_id TYPE {}", "ALTER TABLE orders ALTER price TYPE {}",
    )  # fmt: skip
    async with platform.transaction() as connection:
        for statement, type_ in zip(statements, ("bigint", "numeric"), strict=True):
            await connection.exec_driver_sql(statement.format(type_))
    yield platform
    async with platform.transaction() as connection:
        await connection.exec_driver_sql("DELETE FROM orders")
        for statement, type_ in zip(statements, ("integer", "double precision"), strict=True):
            await connection.exec_driver_sql(statement.format(type_))


async def test_row_with_a_key_beyond_int_is_left_out_and_keeps_its_id_and_cursor(
    graph: GraphClient, widened: Database
) -> None:
    async with widened.transaction() as connection:
        await connection.exec_driver_sql(f"UPDATE orders SET order_id = {BEYOND} + order_id WHERE order_id IN (41, 42)")
    answer = await both(graph, "{ orders { nodes { orderId } } }")
    assert [row["orderId"] for row in answer["data"]["orders"]["nodes"]] == [43, 44, 45]
    assert errors(answer) == [("INTERNAL", ["orders", "nodes"])] * 2
    found = await both(graph, "{ orders { edges { cursor node { id exOrderId } } } }")
    assert "errors" not in found
    *_, first, second = found["data"]["orders"]["edges"]
    assert first["node"] == {"id": order_id(BEYOND + 41), "exOrderId": "O1"}
    text = "query ($after: String) { orders(after: $after) { nodes { exOrderId } } }"
    assert (await both(graph, text, after=first["cursor"]))["data"]["orders"]["nodes"] == [{"exOrderId": "O2"}]
    text = "query ($id: ID!) { node(id: $id) { ... on Order { exOrderId } } }"
    assert (await both(graph, text, id=second["node"]["id"]))["data"]["node"] == {"exOrderId": "O2"}
    text = "query ($id: ID!) { node(id: $id) { ... on Order { orderId } } }"
    answer = await both(graph, text, id=second["node"]["id"])
    assert answer["data"] == {"node": None}
    assert errors(answer) == [("INTERNAL", ["node", "orderId"])]


async def test_numeric_beyond_a_double_is_null_with_an_error(graph: GraphClient, widened: Database, rest: Rest) -> None:
    async with widened.transaction() as connection:
        await connection.exec_driver_sql("UPDATE orders SET price = 1e400 WHERE order_id = 41")
        await connection.exec_driver_sql("UPDATE orders SET price = 0.10000000000000000555 WHERE order_id = 42")
    answer = await both(graph, "{ orders { nodes { price } } }")
    assert [row["price"] for row in answer["data"]["orders"]["nodes"]] == [None, 0.1, 100, 100, 100]
    assert errors(answer) == [("INTERNAL", ["orders", "nodes", 0, "price"])]
    assert (await (await rest.as_(OTHER)).get("orm/orders/41"))["price"] is None


async def test_row_without_a_required_value_is_left_out(graph: GraphClient, platform: Database) -> None:
    async with platform.transaction() as connection:
        await connection.exec_driver_sql("ALTER TABLE orders ALTER symbol DROP NOT NULL")
        await connection.exec_driver_sql("UPDATE orders SET symbol = NULL WHERE order_id = 41")
    try:
        answer = await both(graph, "{ orders(first: 2) { nodes { orderId symbol } } }")
        assert answer["data"]["orders"]["nodes"] == [{"orderId": 42, "symbol": "BTC/USD"}]
    finally:
        async with platform.transaction() as connection:
            await connection.exec_driver_sql("DELETE FROM orders")
            await connection.exec_driver_sql("ALTER TABLE orders ALTER symbol SET NOT NULL")
