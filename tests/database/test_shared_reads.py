"""Reads of single rows that concurrent requests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.database.shared_reads import MOST_REQUESTS, Found, SharedReads
from fullon_graphql.timers import SharedTimer

SQUARE = "SELECT $1::int * $1::int AS square, $2::text AS word WHERE $1::int >= 0 LIMIT 1"
INVERSE = "SELECT 100 / $1::int AS inverse"
SLOW = "SELECT $1::int AS number FROM (SELECT pg_sleep($2)) AS slept"


@pytest.fixture
async def reads(settings: Settings) -> AsyncIterator[SharedReads]:
    database = Database.connect(settings.database_url, "tests", settings)
    yield database.shared_reads
    await database.close()


async def ask(reads: SharedReads, sql: str, *requests: tuple[Any, ...]) -> list[Any]:
    """The results of concurrent requests; exceptions are among them."""
    return await asyncio.gather(*(reads.row(sql, values) for values in requests), return_exceptions=True)


async def row(reads: SharedReads, sql: str, values: tuple[Any, ...]) -> Found:
    """The result of one request, for a task."""
    return await reads.row(sql, values)


async def begun(reads: SharedReads, *request: Any) -> asyncio.Task[Found]:
    """A request that is on its way, so that later ones wait for it."""
    running = asyncio.create_task(row(reads, *request))
    for _ in range(2):  # it starts in one turn of the loop, and is sent in the next
        await asyncio.sleep(0)
    return running


def first(found: Found) -> object:
    return found.row and found.row[0]


async def test_each_request_gets_its_own_row(reads: SharedReads) -> None:
    found = await ask(reads, SQUARE, *((number, f"w{number}") for number in range(-2, 10)))
    assert [each.row and tuple(each.row)[:2] for each in found] == [
        (number * number, f"w{number}") if number >= 0 else None for number in range(-2, 10)
    ]
    assert [each.requests for each in found] == [12] * 12


async def test_single_request_is_not_shared(reads: SharedReads) -> None:
    for number in range(3):
        assert (await reads.row(SQUARE, (number, "w"))).requests == 1


async def test_statement_has_a_limited_number_of_requests(reads: SharedReads) -> None:
    found = await ask(reads, SQUARE, *((number, "w") for number in range(MOST_REQUESTS + 11)))
    assert [first(each) for each in found] == [number * number for number in range(MOST_REQUESTS + 11)]
    assert {each.requests for each in found} == {MOST_REQUESTS, 11}


@pytest.mark.parametrize("bad", ["0", "zero", "1,2", str(2**40)])
async def test_error_of_one_request_is_not_one_of_the_others(reads: SharedReads, bad: str) -> None:
    """The server refuses the first, the driver the others."""
    value: Any = int(bad) if bad.isdigit() else bad
    found = await ask(reads, INVERSE, (1,), (2,), (value,), (4,))
    assert [first(found[place]) for place in (0, 1, 3)] == [100, 50, 25]
    assert isinstance(found[2], (asyncpg.DivisionByZeroError, asyncpg.DataError))


async def test_canceled_requests_leave_the_others_alone(reads: SharedReads) -> None:
    running = await begun(reads, SLOW, (0, 0.05))
    waiting = [asyncio.create_task(row(reads, SLOW, (number, 0.0))) for number in (1, 2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    running.cancel()
    assert first(await waiting[1]) == 2
    assert running.cancelled() or running.cancelling()
    assert waiting[0].cancelled()
    assert first(await reads.row(SLOW, (3, 0.0))) == 3


async def test_slow_statement_does_not_hold_up_later_requests(reads: SharedReads) -> None:
    slow = await begun(reads, SLOW, (1, 30.0))
    async with asyncio.timeout(20):
        found = await ask(reads, SLOW, (2, 0.0), (3, 0.0))
    assert [first(each) for each in found] == [2, 3]
    assert not slow.done()
    slow.cancel()


async def test_requests_that_come_during_a_failing_statement_are_answered_after_it(
    reads: SharedReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "_timer", SharedTimer(60))  # so that they wait
    sql = "SELECT 100 / $1::int AS inverse FROM (SELECT pg_sleep($2)) AS slept"
    running = await begun(reads, sql, (1, 0.02))
    failing = [asyncio.create_task(row(reads, sql, (0, 0.02))) for _ in range(2)]
    assert first(await running) == 100
    async with asyncio.timeout(20):
        assert [first(found) for found in await ask(reads, sql, (2, 0.0), (4, 0.0))] == [50, 25]
    for failed in failing:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await failed
    assert first(await reads.row(sql, (5, 0.0))) == 20


async def test_request_reads_what_was_written_before_it_came(reads: SharedReads, platform: Database) -> None:
    name = "SELECT name FROM bots, (SELECT pg_sleep($1)) AS slept WHERE bot_id = 1"
    running = await begun(reads, name, (0.2,))
    async with platform.transaction() as connection:
        await connection.exec_driver_sql("UPDATE bots SET name = 'renamed' WHERE bot_id = 1")
    assert [first(each) for each in await ask(reads, name, (0.0,), (0.0,))] == ["renamed", "renamed"]
    await running


async def test_server_that_is_away_is_reported_to_all_requests(reads: SharedReads, settings: Settings) -> None:
    nowhere = Database.connect("postgresql://127.0.0.1:1/none", "tests", settings)
    found = await ask(nowhere.shared_reads, SQUARE, (1, "w"), (2, "w"), (3, "w"))
    assert [isinstance(each, OSError) for each in found] == [True] * 3
    await nowhere.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-9, 9),
            st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        ),
        max_size=9,
    )
)
async def test_shared_rows_equal_those_of_single_requests(
    reads: SharedReads, requests: list[tuple[int | None, str | None]]
) -> None:
    shared = await ask(reads, SQUARE, *requests)
    alone = [await reads.row(SQUARE, values) for values in requests]
    assert [each.row and tuple(each.row)[:2] for each in shared] == [each.row and tuple(each.row) for each in alone]
