"""Transactions that lose against concurrent ones."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.database import Database
from fullon_graphql.errors import as_fullon_error
from tests.fixtures.losing import LOST, losing


async def add(connection: AsyncConnection) -> int:
    added = text("INSERT INTO cat_exchanges (name) VALUES ('kraken') RETURNING cat_ex_id")
    return int((await connection.execute(added)).scalar_one())


@pytest.mark.parametrize("sqlstate", LOST)
async def test_transaction_that_loses_twice_is_repeated(database: Database, sqlstate: str) -> None:
    async with losing(database, "cat_exchanges", 2, sqlstate):
        assert await database.in_transaction(add)
    stored = await database.rows(text("SELECT name FROM cat_exchanges"))
    assert [row.name for row in stored] == ["kraken"]


async def test_transaction_that_loses_three_times_fails_with_retry_after(database: Database) -> None:
    async with losing(database, "cat_exchanges", 3, "40001"):
        with pytest.raises(DBAPIError) as failed:
            await database.in_transaction(add)
    error = as_fullon_error(failed.value, "")
    assert error.extensions == {"code": "SERVICE_UNAVAILABLE", "service": "postgres", "retryAfter": 1}


async def test_transaction_that_fails_for_another_reason_is_not_repeated(database: Database) -> None:
    async with losing(database, "cat_exchanges", 1, "P0001"):
        with pytest.raises(DBAPIError):
            await database.in_transaction(add)
        assert await database.in_transaction(add)
