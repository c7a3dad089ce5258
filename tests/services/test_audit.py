"""The hash chain of the audit log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry
from fullon_graphql.services import audit
from fullon_graphql.services.audit import GENESIS, Event, Verdict, append, verify
from fullon_graphql.services.audit_retention import AuditRetention


def event(number: int) -> Event:
    after = {"number": number, "share": 0.1, "huge": 1e22, "text": "ä\u2028\"'\\", "none": None}
    return Event(2, "session:tests", "createBot", "Bot", str(number), "d" * 64, None, after, "request")


async def write(database: Database, count: int) -> None:
    for number in range(count):
        async with database.transaction() as connection:
            await append(connection, event(number))


async def test_empty_log_is_intact(database: Database) -> None:
    assert await verify(database) == Verdict(0, GENESIS)


async def test_unaltered_log_is_intact(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_PAGE", 2)
    await write(database, 5)
    verdict = await verify(database)
    assert (verdict.rows, verdict.broken) == (5, None)
    assert verdict.hash != GENESIS


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("UPDATE fullon_graphql.audit_log SET uid = 3 WHERE seq = 2", 2),
        ("UPDATE fullon_graphql.audit_log SET after = '{}' WHERE seq = 2", 2),
        ("UPDATE fullon_graphql.audit_log SET before = 'null' WHERE seq = 2", 2),
        ("UPDATE fullon_graphql.audit_log SET time = time + interval '1 microsecond' WHERE seq = 3", 3),
        ("UPDATE fullon_graphql.audit_log SET hash = repeat('0', 64) WHERE seq = 3", 3),
        ("DELETE FROM fullon_graphql.audit_log WHERE seq = 1", 2),
        ("DELETE FROM fullon_graphql.audit_log WHERE seq = 2", 3),
        ("INSERT INTO fullon_graphql.audit_log SELECT (jsonb_populate_record(a, '{\"seq\": 0}')).*"
         " FROM fullon_graphql.audit_log a WHERE seq = 1", 0),
    ],
)  # fmt: skip
async def test_verify_names_the_first_altered_row(database: Database, tampering: str, broken: int) -> None:
    await write(database, 4)
    async with database.transaction() as connection:
        await connection.execute(text(tampering))
    assert (await verify(database)).broken == broken


async def test_concurrent_writers_make_one_chain(database: Database) -> None:
    await asyncio.gather(*(write(database, 5) for _ in range(4)))
    verdict = await verify(database)
    assert (verdict.rows, verdict.broken) == (20, None)


async def alter(database: Database, statement: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement))


async def age(database: Database, rows: int) -> datetime:
    """A limit between the row with this number and the next one."""
    row = await database.row(text(f"SELECT time FROM fullon_graphql.audit_log WHERE seq = {rows}"))
    assert row is not None
    limit: datetime = row.time + timedelta(microseconds=1)
    return limit


async def test_pruned_log_is_intact(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_PRUNE_BATCH", 2)
    await write(database, 6)
    assert await audit.prune(database, await age(database, 5)) == 5
    verdict = await verify(database)
    assert (verdict.rows, verdict.broken, verdict.pruned) == (4, None, 5)  # row 6, and a row for each batch
    await write(database, 2)
    assert await audit.prune(database, datetime.now(UTC) - timedelta(days=1)) == 0
    assert (await verify(database)).broken is None


async def test_log_is_intact_after_all_rows_were_pruned(database: Database) -> None:
    await write(database, 3)
    assert await audit.prune(database, await age(database, 3)) == 3
    verdict = await verify(database)
    assert (verdict.rows, verdict.broken, verdict.pruned) == (1, None, 3)


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("DELETE FROM fullon_graphql.audit_log WHERE seq = 3", 4),
        ("DELETE FROM fullon_graphql.audit_log WHERE seq <= 4", 5),
        ("DELETE FROM fullon_graphql.audit_log WHERE seq = 5", 3),  # the row that proves the removal
        ("UPDATE fullon_graphql.audit_log SET uid = 3 WHERE seq = 3", 3),
        ('UPDATE fullon_graphql.audit_log SET after = \'{"seq": 1, "hash": "0", "rows": 1}\' WHERE seq = 5', 5),
    ],
)
async def test_verify_detects_tampering_with_a_pruned_log(database: Database, tampering: str, broken: int) -> None:
    await write(database, 4)
    await audit.prune(database, await age(database, 2))  # appends row 5
    await alter(database, tampering)
    assert (await verify(database)).broken == broken


PERSON = {"uid": 7, "mail": "ada@example.com", "name": "Ada", "phone": "123", "id_num": "X1", "note": "tall"}


async def write_person(database: Database) -> None:
    async with database.transaction() as connection:
        await append(connection, event(1))
        await append(connection, Event(2, "session:x", "updateUser", "User", "7", "d" * 64, PERSON, PERSON, "request"))
        await append(connection, event(2))


async def redact(database: Database) -> int:
    by = Event(1, "session:admin", "anonymizeUser", "User", "7", "", None, None, "request")
    async with database.transaction() as connection:
        return await audit.redact(connection, AuditEntry.key == "7", by)


@pytest.mark.parametrize("legacy", [False, True], ids=["salted", "of older versions"])
async def test_redaction_blanks_personal_data_and_keeps_the_chain_intact(database: Database, legacy: bool) -> None:
    if legacy:
        async with database.transaction() as connection:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("secrets.token_hex", lambda _: None)
                await append(connection, Event(2, "session:x", "updateUser", "User", "7", "d", PERSON, None, "r"))
    await write_person(database)
    assert (await verify(database)).broken is None
    assert await redact(database) == 1 + legacy
    verdict = await verify(database)
    assert (verdict.broken, verdict.redacted) == (None, 1 + legacy)
    rows = await database.rows(
        select(AuditEntry.before, AuditEntry.salt).where(AuditEntry.redacted).order_by(AuditEntry.seq)
    )
    assert {row.salt for row in rows} == {None}
    assert rows[0].before == {"uid": 7} | dict.fromkeys(PERSON.keys() - {"uid"})
    assert await redact(database) == 2 + legacy, "the row of the redaction has the same key"
    assert (await verify(database)).broken is None


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("UPDATE fullon_graphql.audit_log SET uid = 3 WHERE seq = 2", 2),
        ("UPDATE fullon_graphql.audit_log SET after = '{\"uid\": 8}' WHERE seq = 2", 2),
        ("UPDATE fullon_graphql.audit_log SET redacted = true, after = '{}' WHERE seq = 1", 1),
        ("UPDATE fullon_graphql.audit_log SET salt = NULL WHERE seq = 1", 1),
        ("DELETE FROM fullon_graphql.audit_log WHERE seq = 4", 2),  # the row that proves the redaction
    ],
)
async def test_verify_detects_tampering_with_a_redacted_log(database: Database, tampering: str, broken: int) -> None:
    await write_person(database)
    await redact(database)
    await alter(database, tampering)
    assert (await verify(database)).broken == broken


def test_retention_ends_at_midnight(database: Database) -> None:
    now = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
    assert AuditRetention(database, 7).limit(now) == datetime(2026, 3, 3, tzinfo=UTC)
