"""Write tools: a preview, then one confirmation."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from fullon_graphql.agents import confirmations
from fullon_graphql.agents.confirmations import PendingChanges
from fullon_graphql.agents.graph_client import GraphClient, ServerError
from fullon_graphql.agents.tools import DocumentTool
from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry, Bot
from tests.agents.conftest import AddKey, Connect, data, text

TOOL = DocumentTool("T", "", "", {"properties": {}}, frozenset(), writes=True)
START: tuple[str, dict[str, Any]] = ("StartBot", {"botId": 1})


async def is_active(platform: Database) -> bool:
    [row] = await platform.rows(select(Bot.active).where(Bot.bot_id == 1))
    return bool(row.active)


async def changes(platform: Database) -> int:
    [row] = await platform.rows(select(func.count().label("changes")).where(AuditEntry.operation == "updateBot"))
    return int(row.changes)


async def test_change_is_previewed_and_made_once_after_confirmation(
    connect: Connect, add_key: AddKey, platform: Database
) -> None:
    async with connect(await add_key("read,write")) as client:
        preview = data(await client.call_tool(*START))
        assert preview["preview"]["updateBot"]["active"] is True
        assert preview["note"].startswith("Nothing has been changed.")
        assert not await is_active(platform)

        token = {"token": preview["confirmationToken"]}
        confirmed = data(await client.call_tool("confirm", token))
        assert confirmed["data"]["updateBot"] == preview["preview"]["updateBot"]
        assert await is_active(platform)

        again = await client.call_tool("confirm", token)
        assert again.is_error
        assert "unknown, used or expired" in text(again)
        assert await changes(platform) == 1


async def test_write_tools_are_listed_with_their_scope_only(connect: Connect, add_key: AddKey) -> None:
    async with connect(await add_key("read")) as client:
        assert not {"StopBot", "confirm"} & {tool.name for tool in (await client.list_tools()).tools}
        refused = await client.call_tool(*START)
        assert refused.is_error
        assert "FORBIDDEN" in text(refused)
    async with connect(await add_key("bots:read,bots:write")) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {"StartBot", "StopBot", "confirm"} < tools.keys()
        assert "CancelOrder" not in tools
        hints = tools["confirm"].annotations
        assert hints
        assert hints.destructive_hint


async def test_agent_cannot_set_dry_run_or_reach_rows_of_others(connect: Connect, add_key: AddKey) -> None:
    async with connect(await add_key("read,write")) as client:
        refused = await client.call_tool("StopBot", {"botId": 1, "dryRun": False})
        assert "Unknown argument 'dryRun'; the arguments are: botId." in text(refused)
        foreign = await client.call_tool("StopBot", {"botId": 6})
        assert foreign.is_error
        assert "NOT_FOUND" in text(foreign)


async def test_change_with_an_unknown_outcome_can_be_confirmed_again_and_is_made_once(
    connect: Connect, add_key: AddKey, platform: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = GraphClient.execute

    async def lose_answer(self: GraphClient, *given: Any) -> dict[str, Any]:
        await execute(self, *given)
        raise ServerError("The connection broke.")

    async with connect(await add_key("read,write")) as client:
        token = {"token": data(await client.call_tool(*START))["confirmationToken"]}
        with monkeypatch.context() as patch:
            patch.setattr(GraphClient, "execute", lose_answer)
            lost = await client.call_tool("confirm", token)
        assert lost.is_error
        assert "It is unknown if the change was made" in text(lost)
        assert data(await client.call_tool("confirm", token))["data"]["updateBot"]["active"] is True
        assert await changes(platform) == 1


def test_token_belongs_to_one_api_key_and_expires() -> None:
    now = 0.0
    pending = PendingChanges(lambda: now)
    token = pending.add(TOOL, {"botId": 1}, "mine")
    assert pending.take(token, "theirs") is None
    assert pending.take("x" * 22, "mine") is None
    change = pending.take(token, "mine")
    assert change
    assert change.variables == {"botId": 1}
    assert pending.take(token, "mine") is None
    token = pending.add(TOOL, {}, "mine")
    now = confirmations.SECONDS
    assert pending.take(token, "mine") is None


def test_pending_changes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmations, "MOST_PENDING", 2)
    pending = PendingChanges()
    first, second, third = (pending.add(TOOL, {}, "mine") for _ in range(3))
    assert pending.take(first, "mine") is None
    assert pending.take(second, "mine")
    assert pending.take(third, "mine")
