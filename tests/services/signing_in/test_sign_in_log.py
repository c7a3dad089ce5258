"""Sign-ins in the audit log."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import select

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import RateLimited, Unauthenticated
from fullon_graphql.models import AuditEntry
from fullon_graphql.services.audit import verify
from fullon_graphql.services.signing_in import sign_in_log
from fullon_graphql.services.signing_in.sessions import Sessions
from fullon_graphql.services.signing_in.sign_in_log import SignIn, SignInLog
from tests.services.conftest import AddAccount


async def entries(database: Database) -> list[Any]:
    return list(await database.rows(select(AuditEntry).order_by(AuditEntry.seq)))


async def refuse(sessions: Sessions, mail: str, password: str = "wrong") -> None:
    with pytest.raises((Unauthenticated, RateLimited)):
        await sessions.login(mail, password, address="10.0.0.1", user_agent="curl/8", request_id="r-1")


async def test_accepted_sign_in_is_recorded_with_its_session(
    sessions: Sessions, add_account: AddAccount, database: Database
) -> None:
    uid = await add_account()
    signed = await sessions.login("trader@fullon", "secret", None, "10.0.0.1", "curl/8", "r-1")
    [entry] = await entries(database)
    principal = await sessions.identify_token(signed.access_token)
    assert (entry.operation, entry.uid, entry.key, entry.credential) == ("login", uid, str(uid), principal.credential)
    assert entry.request_id == "r-1"
    assert entry.after == {
        "outcome": "accepted", "method": "password", "address": "10.0.0.1", "user_agent": "curl/8",
    }  # fmt: skip


async def test_refused_sign_in_is_recorded_with_its_reason(
    sessions: Sessions, add_account: AddAccount, database: Database
) -> None:
    uid = await add_account(f2a="JBSWY3DPEHPK3PXP")
    await refuse(sessions, "trader@fullon")
    await refuse(sessions, "trader@fullon", "secret")
    first, second = await entries(database)
    assert (first.uid, first.key, first.credential) == (uid, str(uid), "none")
    assert first.after == {
        "outcome": "refused", "method": "password", "address": "10.0.0.1", "user_agent": "curl/8",
        "reason": "wrong password",
    }  # fmt: skip
    assert second.after["reason"] == "one-time code missing"


async def test_mail_without_account_is_recorded_as_a_keyed_hash(sessions: Sessions, database: Database) -> None:
    for mail in ("my-pa55word", "my-pa55word", "other"):
        await refuse(sessions, mail)
    recorded = await entries(database)
    assert {entry.uid for entry in recorded} == {0}
    assert "pa55word" not in str(recorded)
    assert recorded[0].key == recorded[1].key != recorded[2].key


async def test_flood_of_refusals_is_recorded_as_one_count(
    database: Database, settings: Settings, redis: Redis, add_account: AddAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_log, "PER_MINUTE", 2)
    await add_account()
    log = SignInLog(database, settings)
    sessions = Sessions(database, redis, settings, log)
    for _ in range(7):  # two are recorded, three counted, and two are beyond the limit of failures
        await refuse(sessions, "trader@fullon")
    assert len(await entries(database)) == 2
    await log.write_summary()
    summary = (await entries(database))[2]
    assert (summary.uid, summary.credential, summary.after) == (0, "system", {"outcome": "refused", "count": 5})
    await log.write_summary()
    assert len(await entries(database)) == 3
    assert (await verify(database)).broken is None


async def test_next_minute_records_refusals_again(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_log, "PER_MINUTE", 1)
    log = SignInLog(database, settings)
    for _ in range(2):
        await log.refused(SignIn("password"), 7, "", "wrong password")
    monkeypatch.setattr(sign_in_log, "WINDOW_SECONDS", 0.0)
    await log.refused(SignIn("password"), 7, "", "wrong password")
    assert [entry.after.get("count") for entry in await entries(database)] == [None, 1, None]
