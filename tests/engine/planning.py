"""The stages of planning, for their tests."""

from __future__ import annotations

from typing import Any

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
from tests.fixtures.graph import GraphClient
from tests.fixtures.rows import OTHER, TRADER, add, order


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
