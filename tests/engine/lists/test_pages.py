"""Paging of root lists and of lists inside each parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from fullon_graphql import models
from fullon_graphql.database import Database
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.lists.pages import DEFAULT_PAGE_SIZE
from tests.conftest import Count
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order

pytestmark = pytest.mark.usefixtures("platform")

law = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.generate],  # each example queries a database; shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

PAGE = """{ edges { cursor node { orderId } } nodes { orderId }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"""
ARGUMENTS = "(first: $first, after: $after, last: $last, before: $before)"
VARIABLES = "$first: Int, $after: String, $last: Int, $before: String"
ROOT = f"query ({VARIABLES}) {{ list: orders{ARGUMENTS} {PAGE} }}"
NESTED = f"query ({VARIABLES}) {{ bot(botId: 2) {{ list: orders{ARGUMENTS} {PAGE} }} }}"

OWN = list(range(1, 41))
OF_BOT_2 = list(range(1, 41, 5))
ENDLESS = 100
"""More rows than exist; a walk that returns as many has a cycle."""
LISTS = pytest.mark.parametrize(("query", "present"), [(ROOT, OWN), (NESTED, OF_BOT_2)], ids=["root", "nested"])


@dataclass
class Inserting:
    """Inserts a new order of bot 2 before each step of a walk through the list."""

    database: Database
    keys: list[int]
    done: list[int] = field(default_factory=list)

    async def one(self) -> None:
        if self.keys:
            self.done.append(self.keys.pop())
            await add(self.database, models.Order, order(self.done[-1], 2, TRADER))

    async def undo(self) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(delete(models.Order).where(models.Order.order_id.in_(self.done)))


async def page(client: GraphClient, query: str, **arguments: Any) -> dict[str, Any]:
    data = await client.data(query, **arguments)
    found: dict[str, Any] = (data.get("bot") or data)["list"]
    assert [edge["node"] for edge in found["edges"]] == found["nodes"]
    cursors = [edge["cursor"] for edge in found["edges"]] or [None]
    assert (found["pageInfo"]["startCursor"], found["pageInfo"]["endCursor"]) == (cursors[0], cursors[-1])
    return found


def ids(found: dict[str, Any]) -> list[int]:
    return [node["orderId"] for node in found["nodes"]]


def cursor(order_id: int | None) -> str | None:
    return None if order_id is None else opaque_ids.encode("after", "Order", order_id)


async def forward(client: GraphClient, query: str, size: int, inserting: Inserting) -> list[int]:
    seen: list[int] = []
    after, more = None, True
    while more:
        found = await page(client, query, first=size, after=after)
        seen += ids(found)
        assert len(seen) < ENDLESS
        after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]
        await inserting.one()
    return seen


async def backward(client: GraphClient, query: str, size: int, inserting: Inserting) -> list[int]:
    seen: list[int] = []
    before, more = None, True
    while more:
        found = await page(client, query, last=size, before=before)
        seen = ids(found) + seen
        assert len(seen) < ENDLESS
        before, more = found["pageInfo"]["startCursor"], found["pageInfo"]["hasPreviousPage"]
        await inserting.one()
    return seen


new_keys = st.lists(st.integers(-20, 200).filter(lambda key: key not in range(1, 46)), max_size=6, unique=True)


@LISTS
@law
@given(size=st.integers(1, 45), inserted=new_keys, way=st.sampled_from([forward, backward]))
async def test_paging_returns_every_row_once_despite_inserts(
    graph: GraphClient, database: Database, query: str, present: list[int], size: int, inserted: list[int], way: Any
) -> None:
    inserting = Inserting(database, inserted)
    try:
        seen = await way(graph.as_(principal(TRADER)), query, size, inserting)
    finally:
        await inserting.undo()
    assert seen == sorted(set(seen))
    assert [key for key in seen if key in range(1, 46)] == present


places = st.none() | st.integers(0, 46)


@LISTS
@law
@given(size=st.none() | st.integers(0, 45), from_the_back=st.booleans(), after=places, before=places)
async def test_page_follows_the_relay_connection_specification(
    graph: GraphClient,
    query: str,
    present: list[int],
    size: int | None,
    from_the_back: bool,
    after: int | None,
    before: int | None,
) -> None:
    assume(size is not None or not from_the_back)
    end = {"last": size} if from_the_back else {"first": size}
    found = await page(graph.as_(principal(TRADER)), query, after=cursor(after), before=cursor(before), **end)
    between = [key for key in present if (after is None or key > after) and (before is None or key < before)]
    wanted = DEFAULT_PAGE_SIZE if size is None else size
    assert ids(found) == _cut(between, wanted, from_the_back)
    more = len(between) > wanted
    info = found["pageInfo"]
    assert info["hasPreviousPage"] is (more if from_the_back else after is not None)
    assert info["hasNextPage"] is (before is not None if from_the_back else more)


def _cut(rows: Sequence[int], size: int, from_the_back: bool) -> Sequence[int]:
    return rows[max(0, len(rows) - size) :] if from_the_back else rows[:size]


async def test_each_parent_has_its_own_page(graph: GraphClient) -> None:
    query = """{ bots { nodes { botId
        orders(first: 2) { nodes { orderId } pageInfo { hasNextPage } }
        newest: orders(last: 3) { nodes { orderId } pageInfo { hasPreviousPage } } } } }"""
    data = await graph.as_(principal(ADMIN, admin=True)).data(query)
    for bot in data["bots"]["nodes"]:
        own = [key for key in range(1, 41) if 1 + key % 5 == bot["botId"]] or [41, 42, 43, 44, 45]
        assert ids(bot["orders"]) == own[:2]
        assert ids(bot["newest"]) == own[-3:]
        assert bot["orders"]["pageInfo"]["hasNextPage"]
        assert bot["newest"]["pageInfo"]["hasPreviousPage"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [({"first": 1, "last": 1}, "last"), ({"first": -1}, "first"), ({"last": -1}, "last"), ({"first": 1001}, "first"),
     ({"last": 1001}, "last"), ({"after": "garbage"}, "after"), ({"before": ""}, "before"),
     ({"after": opaque_ids.encode("after", "Bot", 1)}, "after"), ({"before": opaque_ids.encode("Order", 1)}, "before"),
     ({"after": opaque_ids.encode("after", "Order")}, "after"), ({"after": opaque_ids.encode("after", "Order", 1, 2)}, "after"),
     ({"after": opaque_ids.encode("after", "Order", "1")}, "after"),
     ({"after": opaque_ids.encode("after", "Order", 2**63)}, "after"),
     ({"after": opaque_ids.encode()}, "after"), ({"after": "\0"}, "after"), ({"after": "x" * 10_000}, "after")],
)  # fmt: skip
@pytest.mark.parametrize("query", [ROOT, NESTED], ids=["root", "nested"])
async def test_invalid_paging_arguments_are_refused(
    graph: GraphClient, query: str, arguments: dict[str, Any], field: str
) -> None:
    answer = await graph.as_(principal(TRADER)).ask(query, **arguments)
    assert answer.codes == ["BAD_USER_INPUT"]
    assert answer.errors[0]["extensions"].get("field", "last") == field


async def test_page_has_50_rows_by_default_and_at_most_1000(graph: GraphClient, database: Database) -> None:
    await add(database, models.Order, *(order(key, 6, OTHER) for key in range(1000, 2100)))
    other = graph.as_(principal(OTHER))
    assert len(ids(await page(other, ROOT))) == 50
    full = await page(other, ROOT, first=1000)
    assert len(ids(full)) == 1000
    assert full["pageInfo"]["hasNextPage"]


async def test_null_arguments_equal_missing_ones(graph: GraphClient) -> None:
    found = await page(graph.as_(principal(TRADER)), ROOT, first=None, after=None, last=None, before=None)
    assert ids(found) == OWN


async def test_rows_are_counted_only_if_total_count_is_selected(graph: GraphClient, statements: Count) -> None:
    trader = graph.as_(principal(TRADER))
    seen = {}
    for count in ("", "totalCount"):
        with statements() as sql:
            data = await trader.data(f"{{ orders(first: 3) {{ {count} nodes {{ orderId }} }} }}")
        seen[count] = [statement.count("count(*)") for statement in sql]
    assert data["orders"]["totalCount"] == 40
    assert seen == {"": [0], "totalCount": [1]}


async def test_total_count_covers_the_whole_list(graph: GraphClient) -> None:
    query = """query ($after: String) { orders(first: 3, after: $after) { totalCount }
        bot(botId: 2) { orders(last: 1) { totalCount } } }"""
    data = await graph.as_(principal(TRADER)).data(query, after=cursor(30))
    assert data == {"orders": {"totalCount": 40}, "bot": {"orders": {"totalCount": 8}}}


async def test_parent_without_rows_has_an_empty_page(graph: GraphClient, database: Database) -> None:
    await add(database, models.Bot, {"bot_id": 7, "uid": TRADER, "name": "new", "dry_run": True})
    query = """{ bot(botId: 7) { exchanges { name }
        orders { totalCount nodes { orderId } pageInfo { hasNextPage endCursor } } } }"""
    data = await graph.as_(principal(TRADER)).data(query)
    nothing = {"totalCount": 0, "nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    assert data["bot"] == {"exchanges": [], "orders": nothing}
