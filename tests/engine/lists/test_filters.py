"""Filters and orders: results, refusals, and paging through any combination of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from graphql import GraphQLInputObjectType
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql import models
from fullon_graphql.database import Database
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.lists.filters import DEEPEST, MOST_PARTS, MOST_VALUES
from fullon_graphql.engine.lists.ordering import SortDirection
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.entities import entity_of
from fullon_graphql.engine.model.relations import children, key_arrays, relation
from fullon_graphql.engine.operations import OperationExecutor
from fullon_graphql.engine.planned.sql import compiled
from fullon_graphql.graph import Graph
from fullon_graphql.schema.orders import Order
from tests.engine.planning import facts, run
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order

law = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.generate],  # each example queries a database; shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

START = datetime(2026, 1, 1, tzinfo=UTC)
BOTS = (1, 2, 3)
SYMBOLS = ("BTC/USD", "ETH/USD", "GOLD")
PRICES = (None, None, 0.1, 0.1 + 0.2, 1e300, -2.5)
SIDES = ("buy", "Buy", "SELL", "sell")


def mixed(order_id: int) -> dict[str, Any]:
    """An order with values that are often equal: nulls, any case, microseconds."""
    return order(
        order_id,
        BOTS[order_id % 3],
        TRADER,
        symbol=SYMBOLS[order_id % 2 + order_id % 4 // 3],
        price=PRICES[order_id % 6],
        final_volume=None if order_id % 5 else 2.0,
        side=SIDES[order_id % 4],
        futures=order_id % 7 == 0,
        timestamp=START + timedelta(microseconds=order_id // 4 * 500_001),
    )


ROWS = {key: mixed(key) for key in range(100, 140)}
NEW = range(200, 206)
"""Keys of orders that are inserted while a list is paged; their values spread them over the list."""


@pytest.fixture
async def mixture(platform: Database) -> Database:
    """The small platform with only mixed orders."""
    async with platform.transaction() as connection:
        await connection.execute(delete(models.Order).where(models.Order.uid == TRADER))
    await add(platform, models.Order, *ROWS.values())
    return platform


Row = dict[str, Any]
Question = tuple[dict[str, Any], Callable[[Row], bool]]
"""A filter and its Python predicate."""

NAMES = {
    "symbol": "symbol",
    "price": "price",
    "finalVolume": "final_volume",
    "timestamp": "timestamp",
    "botId": "bot_id",
}


def cut(value: Any) -> Any:
    """A time cut to milliseconds, the precision of `eq`, `ne` and `in`; any other value unchanged."""
    return value.replace(microsecond=value.microsecond // 1000 * 1000) if isinstance(value, datetime) else value


MEANINGS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda one, other: cut(one) == cut(other),
    "lt": lambda one, other: one < other,
    "lte": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
    "gte": lambda one, other: one >= other,
    "in": lambda one, others: cut(one) in map(cut, others),
}
POSSIBLE: dict[str, list[Any]] = {
    "symbol": list(SYMBOLS),
    "price": [0.1, 0.30000000000000004, 1e300, -2.5, 0.0],
    "finalVolume": [2.0, 1.0],
    "timestamp": sorted({time for row in ROWS.values() for time in (row["timestamp"], cut(row["timestamp"]))}),
    "botId": [1, 2, 3, -5],
}


@st.composite
def comparisons(draw: Any) -> Question:
    field = draw(st.sampled_from(sorted(NAMES)))
    possible = st.sampled_from(POSSIBLE[field])
    how = draw(st.sampled_from([*MEANINGS, "ne", "isNull"]))
    name = NAMES[field]
    if how == "isNull":
        wanted = draw(st.booleans())
        return {field: {"isNull": wanted}}, lambda row: (row[name] is None) is wanted
    operand = draw(st.lists(possible, max_size=3) if how == "in" else possible)
    if how == "ne":
        return {field: {"ne": operand}}, lambda row: cut(row[name]) != cut(operand)
    return {field: {how: operand}}, lambda row: row[name] is not None and MEANINGS[how](row[name], operand)


def sides(wanted: list[str]) -> Question:
    return {"side": {"in": wanted}}, lambda row: row["side"].upper() in wanted


def all_of(questions: Iterable[Question]) -> Question:
    asked = list(questions)
    return {"and": [one for one, _ in asked]}, lambda row: all(holds(row) for _, holds in asked)


def any_of(questions: Iterable[Question]) -> Question:
    asked = list(questions)
    return {"or": [one for one, _ in asked]}, lambda row: any(holds(row) for _, holds in asked)


def opposite(question: Question) -> Question:
    return {"not": question[0]}, lambda row: not question[1](row)


questions = st.recursive(
    comparisons() | st.lists(st.sampled_from(["BUY", "SELL"]), max_size=2).map(sides),
    lambda inner: (
        st.lists(inner, max_size=3).map(all_of) | st.lists(inner, max_size=3).map(any_of) | inner.map(opposite)
    ),
    max_leaves=5,
)

FIELDS = ("SYMBOL", "PRICE", "FINAL_VOLUME", "TIMESTAMP", "SIDE", "FUTURES", "BOT_ID", "ORDER_ID")
orders_by = st.lists(
    st.fixed_dictionaries({"field": st.sampled_from(FIELDS), "direction": st.sampled_from(["ASC", "DESC"])}), max_size=3
)

VARIABLES = "$first: Int, $after: String, $last: Int, $before: String, $filter: OrderFilter, $orderBy: [OrderOrder!]"
ARGUMENTS = "(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy)"
PAGE = "{ totalCount nodes { orderId } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"
ROOT = f"query ({VARIABLES}) {{ list: orders{ARGUMENTS} {PAGE} }}"
NESTED = f"query ({VARIABLES}) {{ bot(botId: 2) {{ list: orders{ARGUMENTS} {PAGE} }} }}"
LISTS = pytest.mark.parametrize("query", [ROOT, NESTED], ids=["root", "nested"])
EXECUTIONS = pytest.mark.parametrize("planning", [True, False], ids=["planned", "reference"])


class Asking:
    """Requests pages with one document and one of the executions."""

    def __init__(self, graph: GraphClient, query: str, planning: bool) -> None:
        self.graph, self.query, self.planning = graph.as_(principal(TRADER)), query, planning
        self.operations = OperationExecutor(graph.graph.core, planning=planning)

    async def page(self, **variables: Any) -> Any:
        sent = orjson.loads(orjson.dumps(variables))
        trace, answer = await run(self.graph, self.query, self.operations, **sent)
        assert "errors" not in answer, answer
        assert (trace.fallback is None) is self.planning
        return (answer["data"].get("bot") or answer["data"])["list"]


async def walk(asking: Asking, size: int, backward: bool, meanwhile: Callable[[], Any], **arguments: Any) -> list[int]:
    """The keys of all rows of the list, page by page."""
    found: list[int] = []
    cursor, more = None, True
    while more:
        ends: dict[str, Any] = {"last": size, "before": cursor} if backward else {"first": size, "after": cursor}
        page = await asking.page(**ends, **arguments)
        here = [node["orderId"] for node in page["nodes"]]
        found = here + found if backward else found + here
        assert len(found) < 100, "paging returns more rows than exist"
        info = page["pageInfo"]
        cursor, more = (
            (info["startCursor"], info["hasPreviousPage"]) if backward else (info["endCursor"], info["hasNextPage"])
        )
        await meanwhile()
    return found


async def nothing() -> None:
    """Does nothing between pages."""


def expected(question: Question | None, query: str) -> list[int]:
    rows = [row for row in ROWS.values() if query == ROOT or row["bot_id"] == 2]
    return [row["order_id"] for row in rows if question is None or question[1](row)]


@EXECUTIONS
@LISTS
@law
@given(question=questions, order_by=orders_by, size=st.integers(1, 40), backward=st.booleans())
async def test_paging_returns_every_matching_row_once(
    graph: GraphClient,
    mixture: Database,
    query: str,
    planning: bool,
    question: Question,
    order_by: list[dict[str, str]],
    size: int,
    backward: bool,
) -> None:
    asking = Asking(graph, query, planning)
    found = await walk(asking, size, backward, nothing, filter=question[0], orderBy=order_by)
    assert sorted(found) == expected(question, query)
    whole = await asking.page(first=1000, filter=question[0], orderBy=order_by)
    assert [node["orderId"] for node in whole["nodes"]] == found
    assert whole["totalCount"] == len(found)
    assert found == in_order(found, order_by)


def in_order(found: Iterable[int], order_by: list[dict[str, str]]) -> list[int]:
    """The keys in the requested order: nulls last, then by key."""
    placed = sorted(found)
    for by in reversed(order_by):
        values = {key: value_of(ROWS[key], by["field"]) for key in placed}
        there = [key for key in placed if values[key] is not None]
        there.sort(key=values.__getitem__, reverse=by["direction"] == "DESC")
        placed = there + [key for key in placed if values[key] is None]
    return placed


def value_of(row: Row, field: str) -> Any:
    value = row[field.lower()]
    return value.upper() if field == "SIDE" else value


@EXECUTIONS
@LISTS
@law
@given(order_by=orders_by, size=st.integers(1, 15), backward=st.booleans(), coming=st.permutations(NEW))
async def test_rows_inserted_while_paging_neither_hide_nor_repeat_others(
    graph: GraphClient,
    mixture: Database,
    query: str,
    planning: bool,
    order_by: list[dict[str, str]],
    size: int,
    backward: bool,
    coming: list[int],
) -> None:
    waiting = list(coming)

    async def one_comes() -> None:
        if waiting:
            await add(mixture, models.Order, mixed(waiting.pop()))

    question = opposite(({"symbol": {"eq": "GOLD"}}, lambda row: bool(row["symbol"] == "GOLD")))
    try:
        arguments = {"filter": question[0], "orderBy": order_by}
        found = await walk(Asking(graph, query, planning), size, backward, one_comes, **arguments)
    finally:
        async with mixture.transaction() as connection:
            await connection.execute(delete(models.Order).where(models.Order.order_id.in_(NEW)))
    assert len(found) == len(set(found))
    assert sorted(key for key in found if key in ROWS) == expected(question, query)


@EXECUTIONS
async def test_cursor_is_valid_for_its_order_with_any_filter(
    graph: GraphClient, mixture: Database, planning: bool
) -> None:
    asking = Asking(graph, ROOT, planning)
    by_price = [{"field": "PRICE", "direction": "DESC"}]
    first = await asking.page(first=3, orderBy=by_price, filter={"futures": {"eq": False}})
    cursor = first["pageInfo"]["endCursor"]
    rest = await asking.page(first=50, orderBy=by_price, after=cursor)
    assert rest["nodes"]
    for other in (None, [{"field": "PRICE"}], [*by_price, {"field": "SYMBOL"}], [{"field": "FINAL_VOLUME"}]):
        _, answer = await run(asking.graph, ROOT, asking.operations, after=cursor, orderBy=other)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
        assert answer["errors"][0]["extensions"]["field"] == "after"


NAME = "Order by price desc, order_id asc"


@EXECUTIONS
@pytest.mark.parametrize(
    "parts",
    [("after", NAME), ("after", NAME, 1.5), ("after", NAME, 1.5, None), ("after", NAME, "x", 7), ("after", NAME, 1, 7),
     ("after", NAME, 1.5, 7, 8), ("after", NAME, 1.5, 2**63), ("after", NAME, True, 7), (NAME, 1.5, 7),
     ("after", "Bot by price desc, order_id asc", 1.5, 7), ("after", "Order", 7)],
)  # fmt: skip
@pytest.mark.usefixtures("mixture")
async def test_forged_cursor_is_refused(graph: GraphClient, planning: bool, parts: tuple[Any, ...]) -> None:
    operations = OperationExecutor(graph.graph.core, planning=planning)
    variables = {"after": opaque_ids.encode(*parts), "orderBy": [{"field": "PRICE", "direction": "DESC"}]}
    _, answer = await run(graph.as_(principal(TRADER)), ROOT, operations, **variables)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]


def nested(levels: int) -> dict[str, Any]:
    return {"not": nested(levels - 1)} if levels else {}


@EXECUTIONS
@pytest.mark.parametrize(
    ("filter_", "refused"),
    [
        ({}, False),
        ({"and": []}, False),
        ({"symbol": {}}, False),
        ({"botId": {"eq": 2**31 - 1}}, False),
        ({"botId": {"in": list(range(MOST_VALUES))}}, False),
        ({"botId": {"in": list(range(MOST_VALUES + 1))}}, True),
        ({"symbol": {"like": "100\\%"}}, False),
        ({"symbol": {"like": "\\\\"}}, False),
        ({"symbol": {"like": "x\\"}}, True),
        ({"symbol": {"like": "\0"}}, True),
        ({"symbol": {"eq": "x" * 1000}}, False),
        ({"symbol": {"eq": "nul\0"}}, True),
        ({"symbol": {"in": ["nul\0"]}}, True),
        ({"symbol": {"eq": None}}, True),
        ({"symbol": {"in": None}}, True),
        ({"symbol": None}, True),
        ({"not": None}, True),
        ({"or": None}, True),
        ({"price": {"isNull": None}}, True),
        ({"timestamp": {"lt": "9999-12-31T23:59:59.999999Z", "gt": "0001-01-01T00:00:00Z"}}, False),
        ({"price": {"lt": 1.7976931348623157e308}}, False),
        (nested(DEEPEST - 1), False),
        (nested(DEEPEST), True),
        ({"or": [{"botId": {"eq": 1}}] * (MOST_PARTS // 2)}, False),
        ({"or": [{"botId": {"eq": 1}}] * (MOST_PARTS // 2 + 1)}, True),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.usefixtures("mixture")
async def test_invalid_filter_is_refused(graph: GraphClient, planning: bool, filter_: Any, refused: bool) -> None:
    operations = OperationExecutor(graph.graph.core, planning=planning)
    _, answer = await run(graph.as_(principal(TRADER)), ROOT, operations, filter=filter_)
    errors = [error["extensions"] for error in answer.get("errors", [])]
    assert [(error["code"], error["field"]) for error in errors] == ([("BAD_USER_INPUT", "filter")] if refused else [])


@pytest.mark.usefixtures("mixture")
async def test_empty_filter_matches_every_row(graph: GraphClient) -> None:
    asking = Asking(graph, ROOT, planning=True)
    for filter_, order_by in ((None, None), ({}, []), ({"and": [{}]}, [{"field": "ORDER_ID"}])):
        page = await asking.page(first=50, filter=filter_, orderBy=order_by)
        assert [node["orderId"] for node in page["nodes"]] == list(ROWS)
    assert (await asking.page(filter={"or": []}))["totalCount"] == 0
    assert (await asking.page(filter={"not": {}}))["totalCount"] == 0
    assert (await asking.page(filter={"botId": {"in": []}}))["totalCount"] == 0


@pytest.mark.usefixtures("mixture")
async def test_strings_are_compared_exactly_and_enums_in_any_case(graph: GraphClient) -> None:
    query = """{ a: orders(filter: {status: {eq: "open"}}) { totalCount } b: orders(filter: {status: {eq: "Open"}}) { totalCount }
        c: orders(filter: {status: {like: "o%n"}}) { totalCount } d: orders(filter: {status: {like: "O%"}}) { totalCount }
        e: orders(filter: {side: {eq: BUY}}) { totalCount } f: orders(filter: {side: {ne: BUY}}) { totalCount } }"""
    data = await graph.as_(principal(TRADER)).data(query)
    assert [data[name]["totalCount"] for name in "abcdef"] == [40, 0, 40, 0, 20, 20]


@EXECUTIONS
async def test_numerics_are_compared_and_ordered_exactly(graph: GraphClient, mixture: Database, planning: bool) -> None:
    log = {"bot_id": 2, "feed_num": 7, "ex_id": 20, "symbol": "BTC/USD", "message": "m", "timestamp": START}
    positions = [Decimal(text) for text in ("0.1", "0.10000000000000001", "-3", "1E+3")]
    await add(mixture, models.BotLog, *(log | {"position": position} for position in positions))
    query = """query ($after: String) { bot(botId: 2) {
        same: logs(filter: {position: {eq: 0.1}}) { totalCount } some: logs(filter: {position: {in: [-3, 1000]}}) { totalCount }
        list: logs(first: 2, after: $after, filter: {feedNum: {eq: 7}}, orderBy: [{field: POSITION, direction: DESC}]) {
          nodes { position } pageInfo { endCursor } } } }"""
    operations, trader = OperationExecutor(graph.graph.core, planning=planning), graph.as_(principal(TRADER))
    _, first = await run(trader, query, operations)
    bot = first["data"]["bot"]
    assert (bot["same"]["totalCount"], bot["some"]["totalCount"]) == (1, 2)
    _, second = await run(trader, query, operations, after=bot["list"]["pageInfo"]["endCursor"])
    found = [node["position"] for answer in (first, second) for node in answer["data"]["bot"]["list"]["nodes"]]
    assert found == [1000, 0.1, 0.1, -3]


def test_personal_data_and_secrets_are_not_searchable(schema: Graph) -> None:
    found = {
        f"{type_.name}.{name}"
        for type_ in schema.core.type_map.values()
        if isinstance(type_, GraphQLInputObjectType) and type_.name.endswith("Filter")
        for name in type_.fields
    }
    assert "UserFilter.mail" in found
    personal = re.compile(r"phone|idNum|note|name|password|f2a|secret|hash|digest|before|after|\bkey", re.IGNORECASE)
    assert {name for name in found if name.startswith("User") and personal.search(name.partition(".")[2])} == set()
    assert {name for name in found if re.search(r"Param.*\.value|ApiKey.*\.key|\.(hash|password|f2a)", name)} == set()


@pytest.mark.usefixtures("mixture")
async def test_variables_are_accepted_anywhere_in_filter_and_order(graph: GraphClient) -> None:
    query = """query ($status: String!, $ids: [Int!], $more: [OrderFilter!], $by: OrderOrderField!, $way: SortDirection! = DESC,
        $missing: Int) { orders(filter: {status: {eq: $status}, botId: {in: $ids, eq: $missing}, and: $more},
          orderBy: [{field: $by, direction: $way}, {field: PRICE}]) { nodes { orderId } } }"""
    variables = {"status": "open", "ids": [1, 2], "more": [{"side": {"eq": "BUY"}}], "by": "TIMESTAMP"}
    found = []
    for planning in (True, False):
        operations = OperationExecutor(graph.graph.core, planning=planning)
        trace, answer = await run(graph.as_(principal(TRADER)), query, operations, **variables)
        assert (trace.fallback is None) is planning
        found.append([node["orderId"] for node in answer["data"]["orders"]["nodes"]])
    wanted = [key for key, row in ROWS.items() if row["bot_id"] in {1, 2} and row["side"].upper() == "BUY"]
    by = [{"field": "TIMESTAMP", "direction": "DESC"}, {"field": "PRICE", "direction": "ASC"}]
    assert found == [in_order(wanted, by)] * 2


@pytest.mark.usefixtures("mixture")
async def test_statement_text_does_not_depend_on_filter_values(graph: GraphClient) -> None:
    operations, trader = OperationExecutor(graph.graph.core), graph.as_(principal(TRADER))
    texts = []
    for filter_ in (
        {"symbol": {"in": ["GOLD"]}, "price": {"gt": 1}},
        {"symbol": {"in": ["x", "y", "';--"]}, "price": {"gt": 7.5}},
        {"symbol": {"in": []}, "price": {"gt": -1}},
        {"symbol": {"in": ["GOLD"]}, "price": {"lt": 1}},
    ):
        trace, _ = await run(trader, ROOT, operations, filter=filter_)
        texts += facts(trace, "statement", "sql")
    assert len(texts) == 4
    assert len(set(texts[:3])) == 1
    assert texts[3] != texts[0]
    assert not any(value in texts[0] for value in ("GOLD", "--", "7.5"))


@pytest.mark.usefixtures("mixture")
async def test_filters_do_not_reveal_foreign_rows(graph: GraphClient) -> None:
    other = graph.as_(principal(OTHER))
    for filter_ in (
        {"uid": {"eq": TRADER}},
        {"not": {"uid": {"eq": OTHER}}},
        {"or": [{"orderId": {"in": list(ROWS)}}]},
    ):
        _, answer = await run(other, ROOT, filter=filter_)
        assert answer["data"]["list"]["totalCount"] == 0


@pytest.mark.parametrize("indexed", [True, False])
async def test_page_of_one_parent_reads_no_rows_of_other_parents(mixture: Database, indexed: bool) -> None:
    async with with_many_orders(mixture, indexed=indexed) as connection:
        for order_by in ([], [{"field": _field("TIMESTAMP"), "direction": SortDirection.DESC}]):
            for filter_ in (None, {"price": {"isNull": False}}, {"symbol": {"like": "B%"}}, {"status": {"ne": "none"}}):
                page = Page.read(entity_of(Order), first=2, filter_=filter_, order_by=order_by)
                on_the_page = page.size + 1  # in an order other than by key they are read a second time by key
                assert await rows_read(connection, page, bot_id=2) <= len(expected(None, NESTED)) + on_the_page


async def test_page_of_one_parent_in_order_of_the_key_reads_only_its_rows(mixture: Database) -> None:
    newest_first = [{"field": _field("ORDER_ID"), "direction": SortDirection.DESC}]
    given: list[dict[str, Any]] = [{"first": 2}, {"last": 2}, {"first": 2, "order_by": newest_first}]
    async with with_many_orders(mixture, indexed=True) as connection:
        for arguments in given:
            page = Page.read(entity_of(Order), **arguments)
            assert await rows_read(connection, page, bot_id=6) == page.size + 1, arguments


@asynccontextmanager
async def with_many_orders(database: Database, *, indexed: bool) -> AsyncIterator[AsyncConnection]:
    """A connection of the block; bot 6 has 5 000 more orders. Without `indexed` no index has a bot's orders by key."""
    await add(database, models.Order, *(order(key, 6, OTHER) for key in range(1_000, 6_000)))
    async with database.transaction() as connection:
        await connection.execute(text("ANALYZE orders"))
    async with database.connection() as connection:  # rolled back
        if not indexed:
            await connection.execute(text("DROP INDEX orders_bot_id_order_id_idx"))
        yield connection


async def rows_read(connection: AsyncConnection, page: Page, bot_id: int) -> float:
    """The number of orders that PostgreSQL reads for a page of the orders of one bot."""
    of_bot = relation("Order", "bot_id", models.Order.bot_id)
    asked = compiled(children(of_bot, principal(ADMIN, admin=True), page), several=True)
    values = tuple(asked.values(key_arrays(of_bot, [(bot_id,)])))
    found = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked.text}", values)
    [plan] = found.scalar_one()
    return read_of_orders(plan["Plan"])


def _field(name: str) -> Any:
    return SimpleNamespace(value=name.lower())


def read_of_orders(node: dict[str, Any]) -> float:
    """The number of rows of the table read below a node of PostgreSQL's plan."""
    below = sum(read_of_orders(inner) for inner in node.get("Plans", []))
    if node.get("Relation Name") != "orders":
        return below
    return float(below + node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)))


@pytest.mark.parametrize("levels", [300, 900])
@pytest.mark.usefixtures("mixture")
async def test_deeply_nested_filter_is_refused_before_parsing(graph: GraphClient, levels: int) -> None:
    trader = graph.as_(principal(TRADER))
    written_out = f"{{ orders(filter: {'{not: ' * levels}{{}}{'}' * levels}) {{ totalCount }} }}"
    asked: list[tuple[str, dict[str, Any]]] = [(ROOT, {"filter": nested(levels)}), (written_out, {})]
    for query, variables in asked:
        _, answer = await run(trader, query, **variables)
        assert answer["errors"][0]["extensions"]["code"] in {"BAD_USER_INPUT", "GRAPHQL_PARSE_FAILED"}


@EXECUTIONS
async def test_in_finds_times_that_are_shown_as_the_first_instant(
    graph: GraphClient, mixture: Database, planning: bool
) -> None:
    async with mixture.transaction() as connection:
        await connection.execute(text("UPDATE orders SET timestamp = '-infinity' WHERE order_id = 100"))
        await connection.execute(text("UPDATE orders SET timestamp = '0044-03-15 BC' WHERE order_id = 101"))
    operations = OperationExecutor(graph.graph.core, planning=planning)
    for comparison in ({"in": ["0001-01-01T00:00:00Z"]}, {"eq": "0001-01-01T00:00:00Z"}):
        _, answer = await run(graph.as_(principal(TRADER)), ROOT, operations, filter={"timestamp": comparison})
        assert [node["orderId"] for node in answer["data"]["list"]["nodes"]] == [100, 101], answer
