"""The hash chain of the audit log."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from fullon_graphql.database import Database
from fullon_graphql.services import audit
from fullon_graphql.services.audit import GENESIS, Event, Verdict, append, verify


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
