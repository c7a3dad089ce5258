"""For every entity, `_entities` returns the same row as `node`, in one statement per type."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from fullon_graphql import models
from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Context
from fullon_graphql.database import Database
from fullon_graphql.engine.model.entities import entity_of
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.engine.trace import Trace
from fullon_graphql.errors import Forbidden
from fullon_graphql.graph import ENTITIES, make_graph
from fullon_graphql.schema.audit import AuditEntry
from tests.conftest import Count
from tests.fixtures.empty_stores import empty
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.harness import Stores
from tests.fixtures.rows import ADMIN, TRADER, add
from tests.fixtures.store_connections import StoreConnections

SCHEMA = make_graph().core
EXECUTIONS = [OperationExecutor(SCHEMA), OperationExecutor(SCHEMA, planning=False)]
ADMINISTRATOR = principal(ADMIN, admin=True)
STRANGER = principal(TRADER)


NODES = "query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {name} {{ {fields} }} }} }}"
REPRESENTED = "query ($of: [_Any!]!) {{ _entities(representations: $of) {{ ... on {name} {{ {fields} }} }} }}"


class Asking:
    """Asks for rows of one entity, by `nodes` and by `_entities`."""

    def __init__(self, graph: GraphClient, operations: OperationExecutor, type_: type[Any]) -> None:
        self._graph = graph
        self._operations = operations
        self.name = type_.__name__
        self._fields = " ".join(["__typename", "id", *entity_of(type_).graphql_names])
        self.rows: list[int] = []
        """The number of rows of each statement of the last operation, if a plan executed it."""

    async def nodes(self, caller: Caller, ids: list[str]) -> Any:
        return await self._ask(NODES, caller, {"ids": ids})

    async def entities(self, caller: Caller, ids: list[str]) -> Any:
        return await self._ask(REPRESENTED, caller, {"of": [{"__typename": self.name, "id": one} for one in ids]})

    async def _ask(self, query: str, caller: Caller, variables: dict[str, Any]) -> Any:
        request = Request(query.format(name=self.name, fields=self._fields), variables=variables)
        trace = Trace()
        response = await self._operations.run(request, Context(self._graph.worker, caller=caller), trace)
        self.rows = [step.facts["rows"] for step in trace.steps if step.stage == "statement"]
        answer = orjson.loads(response.body)
        answer.get("errors", []).sort(key=lambda error: error["path"])
        return answer


@pytest.fixture(params=ENTITIES, ids=lambda type_: type_.__name__)
def type_(request: pytest.FixtureRequest) -> Any:
    """Each entity."""
    return request.param


@pytest.fixture
def both(graph: GraphClient, type_: type[Any]) -> list[Asking]:
    """Each entity, by plans and by the reference."""
    return [Asking(graph, operations, type_) for operations in EXECUTIONS]


@pytest.fixture
async def ids(platform: Database, type_: type[Any]) -> list[str]:
    """The ids of all rows of the entity."""
    await add(platform, models.AuditEntry, *(audited(seq) for seq in (1, 2)))
    return await ids_of(platform, type_, ADMINISTRATOR)


async def ids_of(database: Database, type_: type[Any], caller: Caller) -> list[str]:
    entity = entity_of(type_)
    try:
        rows = entity.rows(caller).order_by(*entity.key)
    except Forbidden:
        return []
    return [str(entity.build(row._asdict()).id()) for row in await database.rows(rows)]


def audited(seq: int) -> dict[str, Any]:
    texts = ("credential", "operation", "entity", "key", "input_digest", "request_id", "previous_hash", "hash")
    return {"seq": seq, "time": datetime(2026, 1, 1, tzinfo=UTC), "uid": TRADER, **dict.fromkeys(texts, "x")}


async def test_entities_return_the_same_row_as_node(both: list[Asking], ids: list[str]) -> None:
    assert len(ids) >= 2
    for asking in both:
        data = (await asking.entities(ADMINISTRATOR, ids))["data"]
        assert data["_entities"] == (await asking.nodes(ADMINISTRATOR, ids))["data"]["nodes"]
        assert [row["id"] for row in data["_entities"]] == ids
        assert {row["__typename"] for row in data["_entities"]} == {asking.name}


async def test_foreign_entities_are_null_like_absent_ones(
    both: list[Asking],
    type_: type[Any],
    ids: list[str],
    platform: Database,
    stores: Stores,
    store_connections: StoreConnections,
) -> None:
    own = await ids_of(platform, type_, STRANGER)
    foreign = [one for one in ids if one not in own]

    async def answers() -> list[Any]:
        return [await ask(STRANGER, foreign) for asking in both for ask in (asking.entities, asking.nodes)]

    there = await answers()
    await empty(stores, store_connections)
    assert await answers() == there
    for answer in there:
        assert [row for rows in answer["data"].values() for row in rows] == [None] * len(foreign)
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert codes == ({"FORBIDDEN"} if type_ is AuditEntry else set())  # the type is for administrators only


async def test_representations_take_one_statement_and_each_row_is_read_once(
    both: list[Asking], ids: list[str], statements: Count
) -> None:
    for asking in both:
        with statements() as sql:
            data = (await asking.entities(ADMINISTRATOR, ids * 20))["data"]
        assert [row["id"] for row in data["_entities"]] == ids * 20
        assert len(sql) == 1
        assert asking.rows in ([len(ids)], [])  # the reference records no number of rows
