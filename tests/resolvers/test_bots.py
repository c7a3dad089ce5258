"""Mutations of bots."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry, Bot, Order, Simulation
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add

pytestmark = pytest.mark.usefixtures("platform")


@pytest.fixture
def trader(graph: GraphClient) -> GraphClient:
    return graph.as_(principal(TRADER))


async def test_create_bot_belongs_to_the_caller_and_is_in_dry_run(trader: GraphClient) -> None:
    made = await trader.data(
        'mutation { createBot(input: {name: "grid"}) { botId name active dryRun user { uid mail } exchanges { exId } } }'
    )
    bot = made["createBot"]
    assert bot.pop("botId") > 1000
    assert bot == {
        "name": "grid", "active": False, "dryRun": True, "user": {"uid": TRADER, "mail": "user2@fullon"}, "exchanges": [],
    }  # fmt: skip


async def test_update_bot_keeps_omitted_and_null_fields(trader: GraphClient) -> None:
    change = "mutation { updateBot(input: {botId: 1, active: true, name: null}) { name active dryRun } }"
    assert (await trader.data(change))["updateBot"] == {"name": "bot 1", "active": True, "dryRun": False}


async def test_mutations_of_one_operation_see_each_others_changes(trader: GraphClient) -> None:
    answer = await trader.data(
        """mutation {
             a: attachExchange(botId: 2, exId: 21) { exchanges { exId } }
             b: attachExchange(botId: 2, exId: 20) { exchanges { exId } }
             c: detachExchange(botId: 2, exId: 21) { exchanges { exId } }
           }"""
    )
    assert answer == {
        "a": {"exchanges": [{"exId": 21}]},
        "b": {"exchanges": [{"exId": 20}, {"exId": 21}]},
        "c": {"exchanges": [{"exId": 20}]},
    }


@pytest.mark.parametrize(
    "change",
    [
        'updateBot(input: {botId: BOT, name: "mine"}) { botId }',
        "deleteBot(botId: BOT)",
        "attachExchange(botId: BOT, exId: 20) { botId }",
        "detachExchange(botId: BOT, exId: 30) { botId }",
    ],
)
async def test_mutations_of_a_foreign_bot_are_not_found(trader: GraphClient, database: Database, change: str) -> None:
    foreign = await trader.ask("mutation { " + change.replace("BOT", "6") + " }")
    absent = await trader.ask("mutation { " + change.replace("BOT", "99") + " }")
    assert foreign.codes == absent.codes == ["NOT_FOUND"]
    assert foreign.errors[0]["message"].replace("6", "99") == absent.errors[0]["message"]
    assert await database.row(select(Bot.name).where(Bot.bot_id == 6)) == ("foreign",)


async def test_administrator_may_change_any_bot(graph: GraphClient) -> None:
    admin = graph.as_(principal(ADMIN, admin=True))
    answer = await admin.data('mutation { updateBot(input: {botId: 6, name: "seen to"}) { name uid } }')
    assert answer["updateBot"] == {"name": "seen to", "uid": OTHER}


@pytest.mark.parametrize("name", ["", "  ", "x" * 51, "nul\0"])
async def test_invalid_bot_name_is_bad_user_input_with_field(trader: GraphClient, name: str) -> None:
    for change in ("createBot(input: {name: $name})", "updateBot(input: {botId: 1, name: $name})"):
        answer = await trader.ask("mutation ($name: String!) { " + change + " { botId } }", name=name)
        assert answer.codes == ["BAD_USER_INPUT"]
        assert answer.errors[0]["extensions"]["field"] == "name"


async def test_update_bot_with_outdated_timestamp_is_conflict(trader: GraphClient, database: Database) -> None:
    change = """mutation ($seen: DateTime!) {
      updateBot(input: {botId: 1, name: "renamed", expectedTimestamp: $seen}) { name } }"""
    bot = (await trader.data("{ bot(botId: 1) { timestamp } }"))["bot"]
    refused = await trader.ask(change, seen="2020-01-01T00:00:00Z")
    assert refused.codes == ["CONFLICT"]
    assert await database.row(select(Bot.name).where(Bot.bot_id == 1)) == ("bot 1",)
    assert await trader.data(change, seen=bot["timestamp"]) == {"updateBot": {"name": "renamed"}}


async def test_delete_bot_with_simulations_is_conflict(trader: GraphClient, database: Database) -> None:
    await add(database, Simulation, {"num": 3, "bot_id": 2, "name": "first"})
    refused = await trader.ask("mutation { deleteBot(botId: 2) }")
    assert refused.codes == ["CONFLICT"]
    assert refused.errors[0]["message"] == "It cannot be deleted: it has simulations."
    assert await trader.data("mutation { deleteBot(botId: 5) }") == {"deleteBot": True}
    assert await database.row(select(func.count()).select_from(Order).where(Order.bot_id == 5)) == (8,)


async def test_attach_exchange_requires_the_same_owner_and_happens_once(
    graph: GraphClient, trader: GraphClient
) -> None:
    assert (await trader.ask("mutation { attachExchange(botId: 1, exId: 20) { botId } }")).codes == ["CONFLICT"]
    assert (await trader.ask("mutation { attachExchange(botId: 1, exId: 30) { botId } }")).codes == ["NOT_FOUND"]
    mixed = await graph.as_(principal(ADMIN, admin=True)).ask(
        "mutation { attachExchange(botId: 1, exId: 30) { botId } }"
    )
    assert mixed.codes == ["BAD_USER_INPUT"]
    assert mixed.errors[0]["extensions"]["field"] == "exId"


async def test_audit_entry_has_actor_row_before_and_after(trader: GraphClient, database: Database) -> None:
    await trader.data('mutation { updateBot(input: {botId: 1, name: "renamed"}) { botId } }')
    row = await database.row(select(AuditEntry))
    assert row is not None
    assert (row.seq, row.uid, row.credential, row.operation, row.entity, row.key) == (
        1, TRADER, "session:tests", "updateBot", "Bot", "1",
    )  # fmt: skip
    assert (row.before["name"], row.after["name"]) == ("bot 1", "renamed")
    assert {name for name in row.before if row.before[name] != row.after[name]} == {"name"}
    assert row.before.keys() == {"bot_id", "uid", "name", "dry_run", "active", "timestamp"}
    assert len(row.input_digest) == len(row.hash) == 64
    assert row.request_id


async def test_repetition_after_deletion_is_not_found(trader: GraphClient) -> None:
    create = 'mutation { createBot(input: {name: "short-lived"}, idempotencyKey: "k") { botId } }'
    bot_id = (await trader.data(create))["createBot"]["botId"]
    await trader.data("mutation ($id: Int!) { deleteBot(botId: $id) }", id=bot_id)
    assert (await trader.ask(create)).codes == ["NOT_FOUND"]
