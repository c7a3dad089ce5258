"""The promises of every mutation that changes rows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, update

from fullon_graphql.auth.principal import Anonymous, Scope
from fullon_graphql.database import Database
from fullon_graphql.graph import Graph
from fullon_graphql.models import CatStrategy, Exchange, HaltSwitch, Session, TradingHalt, User
from tests.fixtures.graph import GraphClient
from tests.fixtures.rows import TRADER, add, person, session
from tests.resolvers.changes import CHANGES, UNTRIED

WITHOUT = {"login", "refreshToken", "logout"}
"""Mutations without `dryRun` and `idempotencyKey`."""

OLD_PASSWORD = "$2b$04$9pu40bK5FcH3buyhT7JOrOoPU9mrmOK7okEPrnvDskJKI5Ljti18u"

pytestmark = pytest.mark.usefixtures("rows_to_change")


@pytest.fixture
async def rows_to_change(platform: Database) -> None:
    """Rows that the calls need in addition to the small platform: a password, sessions, an inactive account, an unused template, a halt and a switch."""
    async with platform.transaction() as connection:
        await connection.execute(update(User).where(User.uid == TRADER).values(password=OLD_PASSWORD))
    await add(platform, User, person(4, active=False))
    await add(platform, Exchange, {"ex_id": 22, "uid": TRADER, "cat_ex_id": 1, "name": "unused"})
    await add(platform, Session, session(21, TRADER), session(22, TRADER))
    await add(platform, CatStrategy, {"cat_str_id": 3, "name": "unused"})
    halted = {"halt_id": 1, "uid": TRADER, "scope": "BOT", "bot_id": 2, "reason": "news", "by": TRADER, "bots": [2]}
    await add(platform, TradingHalt, halted)
    await add(
        platform,
        HaltSwitch,
        {
            "switch_id": UUID(int=7), "uid": TRADER, "scope": "ALL", "reason": "lost", "cancel_open": False,
            "after_seconds": 60, "state": "ARMED", "subscription": UUID(int=8), "expires_at": datetime(2100, 1, 1, tzinfo=UTC),
        },
    )  # fmt: skip


every_change = pytest.mark.parametrize("name", CHANGES)


def test_every_mutation_is_listed_with_idempotency_key_and_dry_run(schema: Graph) -> None:
    mutation = schema.core.mutation_type
    assert mutation is not None
    assert set(mutation.fields) == CHANGES.keys() | UNTRIED | WITHOUT
    for name in CHANGES.keys() | UNTRIED:
        arguments = mutation.fields[name].args
        assert str(arguments["idempotencyKey"].type) == "String"
        assert (str(arguments["dryRun"].type), arguments["dryRun"].default_value) == ("Boolean", False)


@every_change
async def test_mutation_changes_rows_and_writes_one_audit_entry(
    graph: GraphClient, database: Database, name: str
) -> None:
    before = await everything(database)
    await graph.as_(CHANGES[name].caller).data(CHANGES[name].document(name))
    after = await everything(database)
    changed = {table for table in after if after[table] != before[table]}
    followed = {
        "fullon_graphql.audit_log",
        "fullon_graphql.changes",
    }  # written by the second statement; streams deliver the first
    assert bool(changed - followed) is not CHANGES[name].in_redis
    assert len(after["fullon_graphql.audit_log"]) == 1


@every_change
async def test_dry_run_returns_the_same_answer_and_writes_nothing(
    graph: GraphClient, database: Database, name: str
) -> None:
    change = CHANGES[name]
    client = graph.as_(change.caller)
    before = await everything(database)
    tried = await client.data(change.document(name, 'dryRun: true, idempotencyKey: "tried"'))
    assert await everything(database) == before
    assert comparable(tried) == comparable(await client.data(change.document(name)))


@every_change
async def test_repetition_returns_the_same_answer_and_changes_nothing(
    graph: GraphClient, database: Database, name: str
) -> None:
    change = CHANGES[name]
    client = graph.as_(change.caller)
    first = await client.data(change.document(name, 'idempotencyKey: "once"'))
    after = await everything(database)
    again = await client.data(change.document(name, 'idempotencyKey: "once"'))
    assert shown_again(again) == shown_again(first)
    assert await everything(database) == after


@every_change
async def test_concurrent_repetitions_change_rows_once(graph: GraphClient, database: Database, name: str) -> None:
    change = CHANGES[name]
    document = change.document(name, 'idempotencyKey: "at once"')
    answers = await asyncio.gather(*(graph.as_(change.caller).data(document) for _ in range(4)))
    assert all(shown_again(answer) == shown_again(answers[0]) for answer in answers)
    assert len((await everything(database))["fullon_graphql.audit_log"]) == 1


@every_change
async def test_idempotency_key_with_other_input_is_conflict(graph: GraphClient, database: Database, name: str) -> None:
    change = CHANGES[name]
    await graph.as_(change.caller).data(change.document(name, 'idempotencyKey: "once"'))
    other = next(another for another in CHANGES if another != name and CHANGES[another].admin == change.admin)
    refused = await graph.as_(change.caller).ask(CHANGES[other].document(other, 'idempotencyKey: "once"'))
    assert refused.codes == ["CONFLICT"]
    assert len((await everything(database))["fullon_graphql.audit_log"]) == 1


@every_change
async def test_mutation_requires_the_write_scope(graph: GraphClient, database: Database, name: str) -> None:
    change = CHANGES[name]
    before = await everything(database)
    reading = replace(change.caller, scopes=frozenset({Scope.READ, Scope.ADMIN}))
    for more in ("", "dryRun: true"):
        document = change.document(name, more)
        assert (await graph.as_(reading).ask(document)).codes == ["FORBIDDEN"]
        assert (await graph.as_(Anonymous()).ask(document)).codes == ["UNAUTHENTICATED"]
    assert await everything(database) == before


@pytest.mark.parametrize("name", [name for name, change in CHANGES.items() if change.admin])
async def test_administrative_mutations_require_admin(graph: GraphClient, name: str) -> None:
    change = CHANGES[name]
    without_scope = replace(change.caller, scopes=frozenset({Scope.READ, Scope.WRITE}))
    for caller in (without_scope, replace(change.caller, is_admin=False)):
        assert (await graph.as_(caller).ask(change.document(name))).codes == ["FORBIDDEN"]


async def everything(database: Database) -> dict[str, list[Any]]:
    """Every row of every table, in no particular order of rows: texts, sorted."""
    tables = await database.rows(
        text(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname IN ('public', 'fullon_graphql') AND tablename <> 'alembic_version'"
        )
    )
    return {
        table.name: sorted(row[0] for row in await database.rows(text(f"SELECT t::text FROM {table.name} AS t")))
        for table in tables
    }


NUMBERED = {
    "botId",
    "orderId",
    "exId",
    "strId",
    "feedId",
    "tradeId",
    "apiKeyId",
    "uid",
    "symbolId",
    "catExId",
    "catStrId",
    "ruleId",
    "webhookId",
    "deliveryId",
}
"""Keys from a sequence: a dry run consumes a number."""
ONCE = {"key", "secret", "uri"}
"""Secrets that only the first answer contains."""


MOVED = {"exchanges", "params"}
"""Relations: in a dry run they return stored rows."""


def comparable(answer: Any) -> Any:
    """An answer without the values that differ between two changes."""
    return without(answer, NUMBERED | ONCE | MOVED)


def shown_again(answer: Any) -> Any:
    """An answer without the values that only the first answer contains."""
    return without(answer, ONCE)


def without(answer: Any, names: set[str]) -> Any:
    match answer:
        case dict():
            return {name: without(value, names) for name, value in answer.items() if name not in names}
        case list():
            return [without(value, names) for value in answer]
        case _:
            return answer
