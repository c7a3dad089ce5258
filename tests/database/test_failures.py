"""Outcomes that open the circuit of a database, over both of its pools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

import pytest
from sqlalchemy import text

from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import CircuitOpen, ServiceUnavailable, Timeout, as_fullon_error
from tests.fixtures.eventually import eventually
from tests.fixtures.harness import Stores
from tests.fixtures.limits import refusals
from tests.fixtures.silent import silent_proxy

Run = Callable[[Database, str], Coroutine[Any, Any, Any]]


async def transact(database: Database, sql: str) -> Any:
    async with database.transaction() as connection:
        return (await connection.execute(text(sql))).scalar()


async def change(database: Database, sql: str) -> Any:
    async with database.connection() as connection:
        return (await connection.execute(text(sql))).scalar()


async def read(database: Database, sql: str) -> Any:
    row = await database.row(text(sql))
    return row and row[0]


async def fetch(database: Database, sql: str) -> Any:
    return (await database.records(sql))[0][0]


WAYS: Final[list[Run]] = [transact, change, read, fetch]
"""Every way to run a statement."""

SLEEPING: Final = text(
    "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE '%victim' AND wait_event = 'PgSleep'"
)
END_VICTIM: Final = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fullon_graphql:victim'"
)


@pytest.fixture
def breaker() -> CircuitBreaker:
    """A breaker that opens with the second failure and is tried again at once."""
    return CircuitBreaker("ohlcv", threshold=2, seconds=0.01)


@pytest.fixture
async def guarded(settings: Settings, breaker: CircuitBreaker) -> AsyncIterator[Database]:
    hasty = settings.model_copy(update={"db_timeout": 0.3})
    database = Database.connect(settings.database_url, "guarded", hasty, breaker)
    yield database
    await database.close()


async def failure(run: Run, database: Database, sql: str) -> Exception:
    try:
        await run(database, sql)
    except Exception as error:
        return error
    pytest.fail(f"No error of {sql}")


@pytest.mark.parametrize("run", WAYS)
async def test_answers_are_no_failures(guarded: Database, breaker: CircuitBreaker, run: Run) -> None:
    for sql in ("SELECT pg_sleep(60)", "SELECT 1 / 0", "SELECT FROM absent", "SELECT 'x'::int"):
        breaker.failed(TimeoutError())
        before = refusals("DB_TIMEOUT")
        error = await failure(run, guarded, sql)
        assert refusals("DB_TIMEOUT") == before + ("sleep" in sql)
        assert breaker.is_clear, sql
        assert isinstance(as_fullon_error(error, ""), Timeout) is ("sleep" in sql)


@pytest.mark.parametrize("run", WAYS)
async def test_lost_connections_open_the_circuit(
    settings: Settings, database: Database, breaker: CircuitBreaker, run: Run
) -> None:
    victim = Database.connect(settings.database_url, "victim", settings, breaker)
    for _ in range(2):
        task = asyncio.create_task(failure(run, victim, "SELECT pg_sleep(60)"))
        await eventually(lambda: database.rows(SLEEPING))
        await database.rows(END_VICTIM)
        error = as_fullon_error(await task, "")
        assert isinstance(error, ServiceUnavailable)
        assert error.service == "ohlcv"
    assert breaker.openings == 1
    await victim.close()


@pytest.mark.parametrize("run", WAYS)
async def test_connection_that_has_just_ended_is_replaced(
    stores: Stores, settings: Settings, database: Database, breaker: CircuitBreaker, run: Run
) -> None:
    """A statement comes after the last message of the server and before the end of the connection.

    Reads are repeated. A change may have been executed; its caller decides.
    """
    async with silent_proxy(stores, "postgres") as (proxy, environment):
        victim = Database.connect(environment["DATABASE_URL"], "victim", settings, breaker)
        await run(victim, "SELECT 1")
        proxy.keeps_open = True
        await database.rows(END_VICTIM)
        await eventually(lambda: proxy.ended)
        if run in (transact, change):
            assert isinstance(as_fullon_error(await failure(run, victim, "SELECT 2"), ""), ServiceUnavailable)
        assert await run(victim, "SELECT 2") == 2
        assert breaker.is_clear
        proxy.keeps_open = False
        await victim.close()


@pytest.mark.parametrize("run", WAYS)
async def test_refused_connections_open_the_circuit(settings: Settings, run: Run) -> None:
    breaker = CircuitBreaker("postgres", threshold=2, seconds=3_600)
    database = Database.connect("postgresql://x@127.0.0.1:1/x", "absent", settings, breaker)
    errors = [await failure(run, database, "SELECT 1") for _ in range(3)]
    assert [isinstance(error, CircuitOpen) for error in errors] == [False, False, True]
    await database.close()


@pytest.mark.parametrize("run", WAYS)
async def test_cancelled_statements_have_no_outcome(
    settings: Settings, database: Database, breaker: CircuitBreaker, run: Run
) -> None:
    guarded = Database.connect(settings.database_url, "victim", settings, breaker)
    await run(guarded, "SELECT 1")
    breaker.failed(TimeoutError())
    task = asyncio.create_task(run(guarded, "SELECT pg_sleep(60)"))
    await eventually(lambda: database.rows(SLEEPING))
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert (breaker.state, breaker.is_clear) == ("closed", False)
    await guarded.close()


@pytest.mark.parametrize("run", WAYS)
async def test_connections_from_before_an_opening_are_replaced(
    guarded: Database, breaker: CircuitBreaker, run: Run
) -> None:
    before = await run(guarded, "SELECT pg_backend_pid()")
    assert await run(guarded, "SELECT pg_backend_pid()") == before
    for _ in range(2):
        breaker.failed(TimeoutError())

    async def after() -> int | None:
        try:
            return int(await run(guarded, "SELECT pg_backend_pid()"))
        except CircuitOpen:
            return None

    assert await eventually(after) != before
    assert breaker.is_clear
