"""The stages of planning, for their tests."""

from __future__ import annotations

from typing import Any, Final

import orjson
from graphql import validate

from fullon_graphql import models
from fullon_graphql.context import Context
from fullon_graphql.database import Database
from fullon_graphql.engine.documents import Syntax, syntax_of
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.engine.planned.selections import Selection, select
from fullon_graphql.engine.trace import Trace
from fullon_graphql.graph import Graph
from fullon_graphql.services.change_feed.table import CURSOR
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import GraphClient
from tests.fixtures.rows import OTHER, TRADER, add, order, trade


def document(schema: Graph, text: str) -> Syntax:
    """A document that must be valid."""
    found = syntax_of(text)
    assert not validate(schema.core, found.node)
    return found


def selected(schema: Graph, text: str, **conditions: bool) -> tuple[Selection, ...]:
    """The root fields of an operation for these values of its condition variables."""
    found = document(schema, text)
    [operation] = found.operations.values()
    return select(schema.core, operation, found.fragments, conditions)


async def add_strangers(database: Database) -> None:
    """Add rows that reference rows of other users or missing ones."""
    await add(database, models.Order, order(70, 1, OTHER, ex_id=20), order(71, 6, TRADER, ex_id=30), order(72, 2, 99))
    await add(database, models.BotExchange, {"bot_id": 6, "ex_id": 20}, {"bot_id": 2, "ex_id": 30})
    await add(database, models.Exchange, {"ex_id": 31, "uid": OTHER, "cat_ex_id": 2, "name": "more"})


async def changes_settled(database: Database) -> None:
    """Wait until no transaction of another test keeps the cursor of the change feed below the newest change."""
    newest = "SELECT to_hex(xid) || '-' || to_hex(seq) FROM fullon_graphql.changes ORDER BY xid DESC, seq DESC LIMIT 1"

    async def settled() -> bool:
        return (await database.text(newest)).result == (await database.text(CURSOR)).result

    await eventually(settled)


async def add_invalid(database: Database) -> None:
    """Add values that PostgreSQL stores and GraphQL's types do not have: in rows of both traders."""
    await add(database, models.Trade, trade(120, OTHER, "O3", roi=float("nan")), trade(121, OTHER, "O3"))
    async with database.transaction() as connection:
        for statement in INVALID:
            await connection.exec_driver_sql(statement)


INVALID: Final = (
    "UPDATE orders SET timestamp = 'infinity' WHERE order_id IN (3, 5, 43)",
    "UPDATE orders SET timestamp = '12026-01-01' WHERE order_id IN (4, 44)",
    "UPDATE orders SET timestamp = '-infinity' WHERE order_id IN (6, 7)",
    "UPDATE orders SET timestamp = '0044-03-15 BC' WHERE order_id = 8",
    "UPDATE bot_log SET timestamp = 'infinity' WHERE message = 'sell'",
    "UPDATE bot_log SET timestamp = '12026-01-01' WHERE message = 'elsewhere'",
    "UPDATE trades SET time = 'infinity', roi_pct = '-Infinity' WHERE trade_id = 121",
    "UPDATE api_keys SET expires_at = 'infinity' WHERE api_key_id = 1",
    "INSERT INTO simulations (num, bot_id, name, json) VALUES"
    " (62, 6, 'surrogate', '{\"a\": \"\\ud800\"}'), (63, 6, 'large', '[1e999]'),"
    " (64, 6, 'deep', CAST(repeat('[', 1500) || repeat(']', 1500) AS json)),"
    " (65, 6, 'digits', '{\"n\": 12345678901234567890123, \"n\": 0.10}')",
)


async def run(
    graph: GraphClient, text: str, operations: OperationExecutor | None = None, **variables: Any
) -> tuple[Trace, Any]:
    """The trace and the response of an operation."""
    trace = Trace()
    runner = operations or OperationExecutor(graph.graph.core)
    context = Context(graph.worker, caller=graph.caller, request_id="tests")
    response = await runner.run(Request(text, variables=variables), context, trace)
    return trace, orjson.loads(response.body)


def facts(trace: Trace, stage: str, name: str) -> list[Any]:
    """One fact of every step of a stage."""
    return [step.facts[name] for step in trace.steps if step.stage == stage]
