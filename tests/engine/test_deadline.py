"""The deadline of operations, and the cancellation of statements."""

from __future__ import annotations

import asyncio

import httpx
import orjson
import pytest
from sqlalchemy import text

from fullon_graphql.context import Context
from fullon_graphql.database import Database
from fullon_graphql.engine.limits import Limits
from fullon_graphql.engine.operations import OperationExecutor, Request
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, bearer
from tests.fixtures.signing_in import SignIn

QUERY = "{ bots { nodes { name } } }"


async def waiting(database: Database) -> int:
    """The number of statements of the graph that wait for the locked table."""
    row = await database.row(
        text(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND state = 'active' AND query LIKE '%bots%'"
        )
    )
    assert row is not None
    return int(row[0])


async def until_waiting(database: Database, count: int) -> None:
    await eventually_equal(lambda: waiting(database), count)


async def test_operation_is_canceled_at_its_deadline(graph: GraphClient, platform: Database) -> None:
    operations = OperationExecutor(graph.graph.core, limits=Limits(seconds=0.5))
    async with platform.transaction() as connection:
        await connection.execute(text("LOCK TABLE bots IN ACCESS EXCLUSIVE MODE"))
        response = await operations.run(Request(QUERY), Context(graph.worker, caller=principal(TRADER)))
        [error] = orjson.loads(response.body)["errors"]
        assert error["extensions"]["code"] == "TIMEOUT"
        await until_waiting(platform, 0)
    assert b"fullon_graphql_timeouts_total 1.0" in operations.metrics.text()


async def test_disconnecting_cancels_the_statement(server: Server, sign_in: SignIn, platform: Database) -> None:
    headers = bearer(await sign_in(TRADER))
    async with platform.transaction() as connection:
        await connection.execute(text("LOCK TABLE bots IN ACCESS EXCLUSIVE MODE"))
        async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
            asking = asyncio.create_task(client.post("/graphql", json={"query": QUERY}))
            await until_waiting(platform, 1)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        await until_waiting(platform, 0)
    assert (await server.ask(QUERY, headers["authorization"].removeprefix("Bearer ")))["data"]["bots"]["nodes"]
