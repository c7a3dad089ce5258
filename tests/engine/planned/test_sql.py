"""SQL: one text per shape of an operation, and no stored text can imitate a mark."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from fullon_graphql import models
from fullon_graphql.database import Database
from fullon_graphql.engine.fields.root import ROOT
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.columns import begin_an_index
from fullon_graphql.engine.model.entities import entity_of
from fullon_graphql.engine.operations import OperationExecutor
from fullon_graphql.engine.planned.rows import paged_of
from fullon_graphql.engine.planned.sql import PageShape, StatementBuilder, compiled, page_values
from fullon_graphql.graph import Graph
from tests.engine.planning import facts, run, selected
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER

NESTED = """query ($first: Int, $last: Int, $after: String) {
    bots(first: 3) { nodes { name orders(first: $first, last: $last, after: $after) { nodes { side ticker { price } } } } } }"""


async def texts(graph: GraphClient, operations: OperationExecutor, caller: Any, **variables: Any) -> list[str]:
    trace, answer = await run(graph.as_(caller), NESTED, operations, **variables)
    assert trace.reason is None
    assert "errors" not in answer
    found: list[str] = facts(trace, "statement", "sql")
    return found


@pytest.mark.usefixtures("platform")
async def test_text_depends_on_the_shape_of_pages_and_not_on_values(graph: GraphClient) -> None:
    operations, place = OperationExecutor(graph.graph.core), opaque_ids.encode("after", "Order", 7)
    [forward] = await texts(graph, operations, principal(TRADER), first=1)
    assert await texts(graph, operations, principal(TRADER), first=20) == [forward]
    assert await texts(graph, operations, principal(OTHER), first=3) == [forward]
    [backward] = await texts(graph, operations, principal(TRADER), last=2)
    [behind] = await texts(graph, operations, principal(TRADER), first=2, after=place)
    [of_admin] = await texts(graph, operations, principal(ADMIN, admin=True), first=1)
    assert len({forward, backward, behind, of_admin}) == 4


@pytest.mark.usefixtures("platform")
async def test_statement_is_compiled_once_per_shape(graph: GraphClient) -> None:
    operations, compiled_steps = OperationExecutor(graph.graph.core), []
    for caller, first in ((TRADER, 1), (TRADER, 2), (OTHER, 3), (ADMIN, 1)):
        trace, _ = await run(graph.as_(principal(caller, admin=caller == ADMIN)), NESTED, operations, first=first)
        compiled_steps.append(trace.executed("compile"))
    assert compiled_steps == [True, False, False, True]


def test_values_are_parameters_in_the_order_of_the_text(schema: Graph) -> None:
    [orders] = selected(schema, "{ orders(first: 7) { nodes { side } } }")
    tree = paged_of(None, entity_of(orders.declared.metadata[ROOT]), orders)
    page = Page(size=7, after=(41,))
    statement = compiled(StatementBuilder(principal(TRADER), [PageShape.from_page(page)]).paged(tree))
    values = statement.values(page_values(0, page) | {"caller_uid": TRADER})
    assert sorted(values) == [TRADER, 7, 41]
    assert all(f"${number}" in statement.text for number in range(1, len(values) + 1))
    assert "41" not in statement.text


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("{ bots { nodes { orders { nodes { side } } } } }", "CASE WHEN (orders.uid = $"),
        ("{ symbols { nodes { orders { nodes { side } } } } }", "WHERE orders.uid = $"),
    ],
    ids=["of an own bot", "of an instrument"],
)
def test_owner_is_hidden_from_estimates_below_an_own_row_only(schema: Graph, query: str, condition: str) -> None:
    [parents] = selected(schema, query)
    tree = paged_of(None, entity_of(parents.declared.metadata[ROOT]), parents)
    shapes = [PageShape.from_page(Page())] * 2
    assert condition in compiled(StatementBuilder(principal(TRADER), shapes).paged(tree)).text
    assert "orders.uid = $" not in compiled(StatementBuilder(principal(ADMIN, admin=True), shapes).paged(tree)).text


def test_columns_that_follow_the_owner_in_an_index_do_not_begin_it() -> None:
    assert begin_an_index([models.Order.bot_id])
    assert begin_an_index([models.Order.ex_id, models.Order.uid])
    assert not begin_an_index([models.Order.ex_id])


@pytest.mark.parametrize(
    "name",
    ["\\u0001", '\x010:["kraken", "GOLD"]\x01', '"\x01', "\x02", "\x03", '\x03"x"', '"\x03"x"', '","x":"', "\\", "é\u2028😀", "NaN", "-Infinity", 'a:NaN', '"b":-Infinity'],
    ids=ascii,
)  # fmt: skip
async def test_stored_text_is_returned_unchanged(graph: GraphClient, platform: Database, name: str) -> None:
    await rename(platform, name)
    query = "{ bot(botId: 1) { name orders(first: 1) { nodes { ticker { price } } } } }"
    trace, answer = await run(graph.as_(principal(TRADER)), query)
    assert answer["data"]["bot"] == {"name": name, "orders": {"nodes": [{"ticker": None}]}}
    assert (trace.reason is None) is (name not in {"a:NaN", '"b":-Infinity'})


@pytest.mark.parametrize("symbol", ["\x01", '\x010:["k", "G"]\x01', '\x02\x03"]'], ids=ascii)
async def test_key_of_a_placeholder_may_contain_marks(graph: GraphClient, platform: Database, symbol: str) -> None:
    async with platform.transaction() as connection:
        await connection.execute(update(models.Order).values(symbol=symbol))
    query = "{ orders(first: 1) { nodes { symbol ticker { price } } } }"
    trace, answer = await run(graph.as_(principal(TRADER)), query)
    assert trace.reason is None
    assert answer == {"data": {"orders": {"nodes": [{"symbol": symbol, "ticker": None}]}}}


async def rename(database: Database, name: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(update(models.Bot).where(models.Bot.bot_id == 1).values(name=name))


@pytest.mark.usefixtures("platform")
async def test_object_may_have_many_keys(graph: GraphClient) -> None:
    fields = " ".join(f"k{number}: name" for number in range(120))
    trace, answer = await run(graph.as_(principal(TRADER)), f"{{ bot(botId: 2) {{ {fields} }} }}")
    assert trace.reason is None
    assert answer == {"data": {"bot": {f"k{number}": "bot 2" for number in range(120)}}}
