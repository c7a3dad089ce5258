"""Queries and mutations of sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from fullon_graphql.auth.principal import Principal, Scope
from fullon_graphql.database import Database
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.models import AuditEntry, Session
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, session

MINE, ELSEWHERE, OVER, LEFT, FOREIGN = (UUID(int=number) for number in (21, 22, 23, 24, 31))
END = "mutation ($id: ID!) { endSession(id: $id) { sessionId active reason } }"


@pytest.fixture
async def trader(graph: GraphClient, platform: Database) -> GraphClient:
    """A caller with a session, and further sessions of the same user: an open, an expired and an ended one."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    await add(platform, Session, session(21, TRADER), session(22, TRADER), session(23, TRADER, expires_at=yesterday))
    await add(platform, Session, session(24, TRADER, revoked_at=yesterday, reason="logout"))
    return graph.as_(Principal(TRADER, "user2@fullon", False, f"session:{MINE}", None))


@pytest.fixture
def admin(graph: GraphClient, platform: Database) -> GraphClient:
    return graph.as_(principal(ADMIN, admin=True))


def node_id(session_id: UUID) -> str:
    return opaque_ids.encode("Session", session_id)


async def alive(database: Database) -> set[UUID]:
    return {row.id for row in await database.rows(select(Session.id).where(Session.revoked_at.is_(None)))}


async def test_sessions_contain_own_sessions(trader: GraphClient) -> None:
    query = "{ sessions(filter: {active: {eq: true}}) { nodes { id sessionId uid current userAgent user { mail } } } }"
    nodes = (await trader.data(query))["sessions"]["nodes"]
    assert nodes == [
        {
            "id": node_id(id_), "sessionId": str(id_), "uid": TRADER, "current": id_ == MINE, "userAgent": "tests",
            "user": {"mail": "user2@fullon"},
        }
        for id_ in (MINE, ELSEWHERE)
    ]  # fmt: skip


async def test_ended_sessions_have_a_reason(trader: GraphClient) -> None:
    nodes = (await trader.data("{ sessions { nodes { sessionId active reason current } } }"))["sessions"]["nodes"]
    assert [(UUID(node["sessionId"]), node["active"], node["reason"]) for node in nodes] == [
        (MINE, True, None), (ELSEWHERE, True, None), (OVER, False, None), (LEFT, False, "logout"),
    ]  # fmt: skip


async def test_administrators_see_and_filter_all_sessions(trader: GraphClient, admin: GraphClient) -> None:
    assert (await admin.data("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 6
    query = (
        "query ($uid: Int!) { sessions(filter: {uid: {eq: $uid}, active: {eq: true}}) { nodes { sessionId current } } }"
    )
    found = (await admin.data(query, uid=OTHER))["sessions"]["nodes"]
    assert found == [{"sessionId": str(FOREIGN), "current": False}]
    assert (await trader.data(query, uid=OTHER))["sessions"]["nodes"] == []


async def test_session_node_requires_its_owner(trader: GraphClient) -> None:
    node = "query ($id: ID!) { node(id: $id) { ... on Session { sessionId } } }"
    assert await trader.data(node, id=node_id(MINE)) == {"node": {"sessionId": str(MINE)}}
    assert await trader.data(node, id=node_id(FOREIGN)) == {"node": None}


async def test_end_session_twice_changes_nothing_more(trader: GraphClient, database: Database) -> None:
    ended = {"sessionId": str(ELSEWHERE), "active": False, "reason": "ended"}
    assert await trader.data(END, id=node_id(ELSEWHERE)) == {"endSession": ended}
    entry = await database.row(select(AuditEntry))
    assert entry is not None
    assert (entry.entity, entry.key, entry.before["revoked_at"]) == ("Session", str(ELSEWHERE), None)
    assert "refresh_hash" not in entry.before | entry.after
    first = await database.row(select(Session.revoked_at).where(Session.id == ELSEWHERE))
    assert await trader.data(END, id=node_id(ELSEWHERE)) == {"endSession": ended}
    assert await database.row(select(Session.revoked_at).where(Session.id == ELSEWHERE)) == first
    assert (await trader.data(END, id=node_id(LEFT)))["endSession"]["reason"] == "logout"


@pytest.mark.parametrize(
    "id_", [node_id(FOREIGN), node_id(UUID(int=99)), opaque_ids.encode("Bot", 1), "garbage", "WyJ4Il0"]
)
async def test_end_foreign_or_absent_session_is_not_found(trader: GraphClient, database: Database, id_: str) -> None:
    before = await alive(database)
    assert (await trader.ask(END, id=id_)).codes == ["NOT_FOUND"]
    assert await alive(database) == before


async def test_administrators_may_end_any_session(admin: GraphClient, database: Database) -> None:
    assert (await admin.data(END, id=node_id(FOREIGN)))["endSession"]["active"] is False
    assert await alive(database) == set()


async def test_end_other_sessions_keeps_the_current_one(trader: GraphClient, database: Database) -> None:
    assert await trader.data("mutation { endOtherSessions }") == {"endOtherSessions": 1}
    assert await alive(database) == {MINE, OVER, FOREIGN}
    assert await trader.data("mutation { endOtherSessions }") == {"endOtherSessions": 0}
    entries: Any = await database.rows(select(AuditEntry.entity, AuditEntry.key))
    assert [tuple(entry) for entry in entries] == [("User", str(TRADER))] * 2


async def test_end_other_sessions_by_api_key_ends_all(trader: GraphClient, database: Database) -> None:
    program = Principal(TRADER, "user2@fullon", False, "api_key:1", None, frozenset({Scope.READ, Scope.WRITE}))
    assert await trader.as_(program).data("mutation { endOtherSessions }") == {"endOtherSessions": 2}
    assert await alive(database) == {OVER, FOREIGN}


async def test_credential_has_the_scopes_that_its_account_can_use(graph: GraphClient, platform: Database) -> None:
    end = datetime(2030, 1, 1, tzinfo=UTC)
    scopes = frozenset({"orders:read", "services:control", "admin"})
    for is_admin, expected in ((False, ["orders:read"]), (True, ["admin", "orders:read", "services:control"])):
        caller = graph.as_(Principal(TRADER, "user2@fullon", is_admin, "api_key:1", end, scopes))
        data = await caller.data("{ credential { uid scopes expiresAt } }")
        assert data["credential"] == {"uid": TRADER, "scopes": expected, "expiresAt": "2030-01-01T00:00:00+00:00"}
    assert (await graph.ask("{ credential { uid } }")).codes == ["UNAUTHENTICATED"]
