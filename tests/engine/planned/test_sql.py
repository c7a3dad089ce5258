"""SQL: one text per shape of an operation, and no stored text can imitate a placeholder or an error marker."""

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
from fullon_graphql.engine.planned import sql
from fullon_graphql.engine.planned.rows import paged_of
from fullon_graphql.engine.planned.sql import NONCE, PageShape, StatementBuilder, compiled, page_values, public_text
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
    assert "41" not in public_text(statement)  # the nonce may contain these digits


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


def test_public_text_does_not_contain_the_nonce(schema: Graph) -> None:
    [orders] = selected(schema, "{ orders { nodes { side ticker { price } } } }")
    tree = paged_of(None, entity_of(orders.declared.metadata[ROOT]), orders)
    statement = compiled(StatementBuilder(principal(TRADER), [PageShape.from_page(Page())]).paged(tree))
    assert NONCE in statement.text
    assert NONCE not in public_text(statement)


@pytest.mark.parametrize(
    "name",
    ["\\u0001nonce!", "\\u0001nonce:0:[1]", "\1nonce!", '\1nonce:0:["kraken", "GOLD"]', '"\1', '","x":"', "\\", "é\u2028😀", "NaN", "-Infinity", 'a:NaN', '"b":-Infinity'],
    ids=ascii,
)  # fmt: skip
async def test_stored_text_is_returned_unchanged(graph: GraphClient, platform: Database, name: str) -> None:
    await rename(platform, name)
    query = "{ bot(botId: 1) { name orders(first: 1) { nodes { ticker { price } } } } }"
    trace, answer = await run(graph.as_(principal(TRADER)), query)
    assert answer["data"]["bot"] == {"name": name, "orders": {"nodes": [{"ticker": None}]}}
    assert (trace.reason is None) is (name not in {"a:NaN", '"b":-Infinity'})


@pytest.mark.parametrize("form", ["\\u0001{}!", "\\u0001{}:0:[]", "\1{}!", "{}"])
async def test_stored_text_with_the_nonce_is_returned_unchanged(
    graph: GraphClient, platform: Database, form: str
) -> None:
    await rename(platform, form.format(NONCE))
    _, answer = await run(graph.as_(principal(TRADER)), "{ bot(botId: 1) { name } }")
    assert answer == {"data": {"bot": {"name": form.format(NONCE)}}}


async def rename(database: Database, name: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(update(models.Bot).where(models.Bot.bot_id == 1).values(name=name))


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize(("count", "reason"), [(49, None), (50, "more than 49 keys in one object")])
async def test_object_with_more_than_49_keys_falls_back(graph: GraphClient, count: int, reason: str | None) -> None:
    fields = " ".join(f"k{number}: name" for number in range(count))
    trace, answer = await run(graph.as_(principal(TRADER)), f"{{ bot(botId: 2) {{ {fields} }} }}")
    assert trace.reason == reason
    assert answer == {"data": {"bot": {f"k{number}": "bot 2" for number in range(count)}}}


def test_nonce_is_random_per_process() -> None:
    assert len(bytes.fromhex(NONCE)) == 8
    assert NONCE.encode() in sql.ERROR_MARKER
