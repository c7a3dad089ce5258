"""Everything that uses PostgreSQL, through PgBouncer in both of its modes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import text

from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.config import Settings, load_settings
from fullon_graphql.database import Database
from fullon_graphql.embedded.engines.data_folder import socket_folder
from fullon_graphql.errors import SettingsError, is_transient
from fullon_graphql.graph import Graph
from tests.database.test_failures import WAYS, Run
from tests.database.test_session_settings import EXPECTED, PROBE, STRANGE
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import GraphClient, opened_graph, principal
from tests.fixtures.harness import Stores
from tests.fixtures.order_changes import change_orders
from tests.fixtures.pgbouncer import pgbouncer, pooled, program
from tests.fixtures.rows import TRADER

pytestmark = pytest.mark.skipif(program() is None, reason="pgbouncer is not installed")

ACTIVE: Final = "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database())"
END_OTHERS: Final = text(
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
"""Ends the connections of PgBouncer from before, which have the settings of that time, and waits for their end."""
CLIENTS: Final = 12


@pytest.fixture(scope="module", params=["session", "transaction"])
def mode(request: pytest.FixtureRequest) -> str:
    """The mode of PgBouncer."""
    return str(request.param)


@pytest.fixture(scope="module")
def bouncer(stores: Stores, mode: str) -> Iterator[Path]:
    """PgBouncer in front of this worker's PostgreSQL: the folder of its socket."""
    with (
        socket_folder(stores.own_folder(f"pgbouncer-{mode}")) as folder,
        pgbouncer(folder, stores.database_url, mode) as sockets,
    ):
        yield sockets


@pytest.fixture
def through(settings: Settings, bouncer: Path, mode: str) -> Settings:
    """Settings of a worker behind PgBouncer."""
    return settings.model_copy(
        update={
            "database_url": pooled(settings.database_url, bouncer),
            "ohlcv_database_url": pooled(settings.ohlcv_database_url, bouncer),
            "database_direct_url": settings.database_url,
            "db_pooler": mode,
        }
    )


@pytest.fixture
async def client(through: Settings, schema: Graph, platform: Database) -> AsyncIterator[GraphClient]:
    """A trader's client of a worker behind PgBouncer."""
    async with opened_graph(through, schema, principal(TRADER)) as opened:
        yield opened


@pytest.fixture
async def connect(through: Settings) -> AsyncIterator[Callable[..., Database]]:
    """Opens databases behind PgBouncer, as workers do, with changed settings."""
    opened: list[Database] = []

    def open_(**changes: Any) -> Database:
        changed = through.model_copy(update=changes)
        opened.append(Database.connect(changed.database_url, "tests", changed, CircuitBreaker.never_opening("tests")))
        return opened[-1]

    yield open_
    for database in opened:
        await database.close()


async def test_concurrent_operations_get_their_own_results(client: GraphClient) -> None:
    planned = "query ($id: Int!) { me { mail } order(orderId: $id) { orderId bot { name } } }"
    by_reference = "query ($id: Int!) { order(orderId: $id) { orderId } orderStatistics { totalOrders } }"

    async def ask(query: str, order_id: int) -> tuple[int, Any]:
        return order_id, (await client.data(query, id=order_id))["order"]

    visible = [
        int(key["orderId"]) for key in (await client.data("{ orders { nodes { orderId } } }"))["orders"]["nodes"]
    ]
    assert len(visible) > 1
    asked = [ask(query, visible[i % len(visible)]) for i in range(CLIENTS) for query in (planned, by_reference)]
    for order_id, found in await asyncio.gather(*asked):
        assert found["orderId"] == order_id


@pytest.mark.parametrize("way", WAYS)
async def test_different_statements_of_many_connections_are_not_mixed_up(
    way: Run, connect: Callable[..., Database]
) -> None:
    used = connect(db_pool_size=CLIENTS, db_pool_max_overflow=0)
    found = await asyncio.gather(*(way(used, f"SELECT {number}") for number in range(5 * CLIENTS)))
    assert found == list(range(5 * CLIENTS))


async def test_mutation_is_committed_and_visible(client: GraphClient, platform: Database) -> None:
    change = 'mutation { updateProfile(input: {name: "Pooled"}) { name } }'
    assert (await client.data(change))["updateProfile"]["name"] == "Pooled"
    assert (await client.data("{ me { name } }"))["me"]["name"] == "Pooled"
    assert await platform.row(text(f"SELECT 1 FROM users WHERE uid = {TRADER} AND name = 'Pooled'"))


async def test_subscription_receives_changes(client: GraphClient, platform: Database) -> None:
    query = "subscription { orders { kind order { orderId status } } }"
    [order, *_] = (await client.data("{ orders { nodes { orderId } } }"))["orders"]["nodes"]
    async with aclosing(client.stream(query)) as events:
        first = asyncio.ensure_future(anext(events))
        await eventually(lambda: client.worker.changes.listeners)
        await change_orders(platform, [int(order["orderId"])])
        answer = await first
    assert answer.data["orders"]["order"] == {"orderId": order["orderId"], "status": "filled"}


@pytest.mark.parametrize("way", WAYS)
async def test_canceled_statement_ends_in_postgresql(
    way: Run, connect: Callable[..., Database], database: Database
) -> None:
    used = connect(db_pool_size=1, db_pool_max_overflow=0)
    statement = asyncio.create_task(way(used, "SELECT 1 FROM pg_sleep(40)"))
    await eventually(lambda: database.records(f"SELECT 1 WHERE {ACTIVE}"))
    statement.cancel()
    await asyncio.wait([statement])
    await eventually(lambda: database.records(f"SELECT 1 WHERE NOT {ACTIVE}"))
    assert await way(used, "SELECT 7") == 7


@pytest.mark.parametrize("way", WAYS)
async def test_postgresql_cancels_slow_statements(way: Run, connect: Callable[..., Database]) -> None:
    used = connect(db_timeout=0.3, db_pool_size=1, db_pool_max_overflow=0)
    with pytest.raises(Exception, match="statement timeout"):
        await way(used, "SELECT 1 FROM pg_sleep(40)")
    assert await way(used, "SELECT 7") == 7


@pytest.mark.parametrize("way", WAYS)
async def test_results_do_not_depend_on_settings_of_the_database(
    way: Run, connect: Callable[..., Database], database: Database, through: Settings
) -> None:
    name = database.engine.url.database
    probe = PROBE if way.__name__ == "fetch" else PROBE.replace(":", "\\:")
    async with database.transaction() as connection:
        for setting, value in STRANGE.items():
            await connection.execute(text(f"ALTER DATABASE \"{name}\" SET {setting} = '{value}'"))
    try:
        async with database.transaction() as connection:
            await connection.execute(END_OTHERS)
        used = connect()
        assert await _once_pgbouncer_has_noticed(way, used, probe) == EXPECTED
        await used.close()
    finally:
        async with database.transaction() as connection:
            await connection.execute(text(f'ALTER DATABASE "{name}" RESET ALL'))
            await connection.execute(END_OTHERS)


async def _once_pgbouncer_has_noticed(way: Run, used: Database, probe: str) -> Any:
    """The result of the probe. PgBouncer may first hand out a connection whose end it has not read yet."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await way(used, probe)
            except Exception as error:  # the two ways raise errors of their own
                if not is_transient(error):
                    raise


async def test_dedicated_connections_are_direct(connect: Callable[..., Database], database: Database) -> None:
    async with connect().dedicated_connection("direct") as driver:
        assert await driver.fetchval("SHOW statement_timeout") == "15s"
        assert driver.get_settings().application_name == "fullon_graphql:direct"


def test_transaction_mode_needs_a_direct_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_POOLER", "transaction")
    with pytest.raises(SettingsError, match="DATABASE_DIRECT_URL"):
        load_settings()
