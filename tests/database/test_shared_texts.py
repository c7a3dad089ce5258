"""Reads of one text that equal concurrent requests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.observability.metrics import TEXT_READS
from tests.fixtures.eventually import eventually

SLOW = "SELECT $1::text FROM (SELECT pg_sleep($2)) AS slept"
SLEEPS = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"


@pytest.fixture
async def reads(settings: Settings) -> AsyncIterator[Database]:
    database = Database.connect(settings.database_url, "tests", settings)
    yield database
    await database.close()


async def ask(reads: Database, *requests: tuple[Any, ...]) -> list[Any]:
    """The results of concurrent requests; exceptions are among them."""
    return await asyncio.gather(*(reads.text(*request) for request in requests), return_exceptions=True)


async def begun(reads: Database, *request: Any) -> asyncio.Task[Any]:
    """A request that is on its way, so that equal ones wait for it."""
    running = asyncio.create_task(reads.text(*request))
    await asyncio.sleep(0)
    return running


async def test_equal_requests_share_a_statement(reads: Database) -> None:
    shared = TEXT_READS.counts.get("shared", 0)
    found = await ask(reads, *[(SLOW, word, 0.001) for word in ("a", "b", "a", "b", "a", "c")])
    assert found == [("a", 1), ("b", 1), ("a", 2), ("b", 1), ("a", 2), ("c", 1)]
    assert TEXT_READS.counts["shared"] - shared == 2


@pytest.mark.parametrize("words", [["a", "b"], [], None])
async def test_arrays_are_parameters_like_others(reads: Database, words: list[str] | None) -> None:
    sql = "SELECT array_to_string($1::text[], ',')"
    text = None if words is None else ",".join(words)
    assert await ask(reads, (sql, words), (sql, words), (sql, words), (sql, ["c"])) == [
        (text, 1), (text, 2), (text, 2), ("c", 1),
    ]  # fmt: skip


async def test_error_is_one_of_all_equal_requests(reads: Database) -> None:
    sql = "SELECT (100 / $1::int)::text"
    found = await ask(reads, (sql, 0), (sql, 0), (sql, 0), (sql, 4), (sql, "x"), (sql, "x"))
    assert [type(each) for each in found[:3]] == [asyncpg.DivisionByZeroError] * 3
    assert found[3] == ("25", 1)
    assert all(isinstance(each, asyncpg.DataError) for each in found[4:])


async def test_request_reads_what_was_written_before_it_came(reads: Database, platform: Database) -> None:
    name = "SELECT name FROM bots, (SELECT pg_sleep(0.2)) AS slept WHERE bot_id = 1"
    running = await begun(reads, name)
    await eventually(lambda: platform.records(SLEEPS))
    async with platform.transaction() as connection:
        await connection.exec_driver_sql("UPDATE bots SET name = 'renamed' WHERE bot_id = 1")
    assert [each.result for each in await ask(reads, (name,), (name,))] == ["renamed", "renamed"]
    assert (await running).result != "renamed"


async def test_slow_statement_does_not_hold_up_later_requests(reads: Database) -> None:
    sql = f"SELECT CASE WHEN EXISTS ({SLEEPS}) THEN 'quick' ELSE pg_sleep(30)::text END"
    slow = await begun(reads, sql)
    await eventually(lambda: reads.records(SLEEPS))
    async with asyncio.timeout(20):
        assert await ask(reads, (sql,), (sql,)) == [("quick", 2)] * 2
    assert not slow.done()
    slow.cancel()


async def test_shared_statement_is_canceled_with_its_last_request(reads: Database) -> None:
    first = await begun(reads, SLOW, "a", 40.0)
    others = [await begun(reads, SLOW, "a", 40.0) for _ in range(2)]
    first.cancel()
    await eventually(lambda: reads.records(SLEEPS))
    others[0].cancel()
    await asyncio.wait(others, timeout=0.05)
    assert await reads.records(SLEEPS)
    others[1].cancel()
    await eventually(lambda: reads.records(f"SELECT 1 WHERE NOT EXISTS ({SLEEPS})"))
    assert (await reads.text(SLOW, "a", 0.0)).result == "a"


async def test_server_that_is_away_is_reported_to_all_requests(settings: Settings) -> None:
    nowhere = Database.connect("postgresql://127.0.0.1:1/none", "tests", settings)
    found = await ask(nowhere, *[("SELECT 'x'",)] * 3)
    assert [isinstance(each, OSError) for each in found] == [True] * 3
    await nowhere.close()
