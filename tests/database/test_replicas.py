"""Reads from a streaming replica: what goes there, and what does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from fullon_graphql.cache import keys
from fullon_graphql.circuit_breaker import CircuitBreaker
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import ServiceUnavailable, as_fullon_error
from fullon_graphql.graph import Graph
from fullon_graphql.observability.metrics import REPLICA_READS
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import GraphClient, opened_graph, principal
from tests.fixtures.harness import Stores
from tests.fixtures.order_changes import change_orders, newest_cursor
from tests.fixtures.replica import PostgresServer, copied, postgres_server, primary_of
from tests.fixtures.rest import RestClient, served
from tests.fixtures.rows import OTHER, TRADER
from tests.fixtures.silent import SilentProxy, listening

LONG = 60.0
"""Longest lag in tests in which it must not be exceeded, however slow the machine is."""

Open = Callable[..., AbstractAsyncContextManager[GraphClient]]


@pytest.fixture(scope="module")
def follower(stores: Stores) -> Iterator[PostgresServer]:
    """A replica of this worker's PostgreSQL."""
    with postgres_server(stores.own_folder("replica")) as found:
        found.copy(stores.database_url)
        yield found


@pytest.fixture
async def on_replica(follower: PostgresServer, settings: Settings) -> AsyncIterator[Database]:
    """The database on the replica, for its control functions. Replay continues after the test."""
    database = Database.connect(copied(settings.database_url, follower.sockets), "tests", settings)
    yield database
    await database.row(text("SELECT pg_wal_replay_resume()"))
    await database.close()


@pytest.fixture
def open_(settings: Settings, schema: Graph, follower: PostgresServer, platform: Database) -> Open:
    """Opens workers with the replica."""
    url = copied(settings.database_url, follower.sockets)

    def opened(**changes: Any) -> AbstractAsyncContextManager[GraphClient]:
        changed = {"database_replica_urls": [url], "max_replica_lag": LONG, **changes}
        return opened_graph(settings.model_copy(update=changed), schema, principal(TRADER))

    return opened


async def transact(database: Database, sql: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(sql))


async def probed(client: GraphClient, state: str = "up") -> None:
    """Wait until every replica has this state."""
    groups = [group for group in (client.worker.replicas, client.worker.candle_replicas) if group]
    assert groups

    async def is_reached() -> bool:
        for group in groups:
            await group.probe(5)
        return all(status.state == state for status in client.worker.replica_statuses)

    await eventually(is_reached)


async def reads(client: GraphClient, query: str, **variables: Any) -> tuple[Any, set[str]]:
    """The data of an operation, and where it was read."""
    before = dict(REPLICA_READS.counts)
    data = await client.data(query, **variables)
    return data, {str(name) for name, count in REPLICA_READS.counts.items() if count > before.get(name, 0)}


async def pause(on_replica: Database) -> None:
    await on_replica.row(text("SELECT pg_wal_replay_pause()"))
    await eventually(lambda: on_replica.records("SELECT 1 WHERE pg_get_wal_replay_pause_state() = 'paused'"))


async def test_queries_and_candles_are_read_from_the_replica(open_: Open) -> None:
    async with open_() as client:
        await probed(client)
        data, places = await reads(client, "{ me { mail } orders { nodes { orderId } } }")
        assert (data["me"], places) == ({"mail": "user2@fullon"}, {"replica"})
        assert len(data["orders"]["nodes"]) > 0
        store = client.worker.read_candles
        assert (
            await store._database.text("SELECT pg_is_in_recovery()::text")
        ).result == "true"  # no operation shows it


@pytest.mark.parametrize("path", ["orm/bots/1", "orm/orders", "orm/orders/by-bot?bot_id=1"])
async def test_rest_reads_from_the_replica(open_: Open, settings: Settings, path: str) -> None:
    async with open_() as client:
        await probed(client)
        worker = client.worker
        token = (await worker.sessions.open(TRADER, "user2@fullon")).access_token
        await worker.redis.delete(keys.own_write(TRADER))
        rest = RestClient(served(settings, worker), worker, token)
        before = dict(REPLICA_READS.counts)
        assert await rest.get(path)
        assert REPLICA_READS.counts["replica"] > before.get("replica", 0)
        assert REPLICA_READS.counts.get("lag", 0) == before.get("lag", 0)


async def test_own_change_is_read_from_the_primary_on_every_worker(open_: Open, on_replica: Database) -> None:
    change = 'mutation { updateProfile(input: {name: "Fresh"}) { name } }'
    async with open_() as client, open_() as other_worker:
        await probed(client)
        await probed(other_worker)
        await pause(on_replica)
        assert (await client.data(change))["updateProfile"]["name"] == "Fresh"
        for worker in (client, other_worker):
            assert await reads(worker, "{ me { name } }") == ({"me": {"name": "Fresh"}}, {"own_change"})
        _, places = await reads(other_worker.as_(principal(OTHER)), "{ me { name } }")
        assert places == {"replica"}


async def test_new_session_is_listed_at_once(open_: Open, on_replica: Database) -> None:
    async with open_() as client:
        await probed(client)
        await pause(on_replica)
        await client.worker.sessions.open(TRADER, "user2@fullon")
        data, _ = await reads(client, "{ sessions { nodes { createdAt } } }")
        assert len(data["sessions"]["nodes"]) == 1


async def test_lagging_replica_is_not_read_until_it_has_caught_up(
    open_: Open, on_replica: Database, platform: Database
) -> None:
    async with open_(max_replica_lag=1.0) as client:
        await probed(client)
        await pause(on_replica)
        await change_orders(platform, [1])
        await probed(client, "lagging")
        assert (await reads(client, "{ me { mail } }"))[1] == {"lag"}
        await on_replica.row(text("SELECT pg_wal_replay_resume()"))
        await probed(client)
        # the replica may be behind again while this machine is busy
        await eventually(lambda: _is_read_from_replica(client))


async def _is_read_from_replica(client: GraphClient) -> bool:
    return (await reads(client, "{ me { mail } }"))[1] == {"replica"}


async def test_events_are_read_from_a_replica_that_has_their_change(
    open_: Open, on_replica: Database, platform: Database
) -> None:
    query = "subscription ($after: String) { orders(after: $after) { cursor order { status } } }"
    await change_orders(platform, [1], "open")
    start = await newest_cursor(platform)
    async with open_() as client:
        await probed(client)
        await pause(on_replica)
        before = REPLICA_READS.counts.get("cursor", 0)
        async with aclosing(client.stream(query, after=start)) as events:
            waiting = asyncio.ensure_future(anext(events))
            await eventually(lambda: client.worker.changes.listeners)
            await change_orders(platform, [1], "filled")
            answer = await waiting
        assert answer.errors == []
        event = answer.data["orders"]
        assert event["order"] == {"status": "filled"}
        assert REPLICA_READS.counts.get("cursor", 0) == before + 1

        await on_replica.row(text("SELECT pg_wal_replay_resume()"))
        replicas = client.worker.replicas
        assert replicas
        transaction = int(event["cursor"].partition("-")[0], 16)

        async def has_reached() -> bool:
            await replicas.probe(5)
            return replicas.choose(transaction) is not None

        await eventually(has_reached)
        before = REPLICA_READS.counts.get("replica", 0)
        async with aclosing(client.stream(query, after=start)) as events:
            assert (await anext(events)).data["orders"] == event
        assert REPLICA_READS.counts.get("replica", 0) == before + 1


async def test_statement_that_conflicts_with_replay_is_repeated_on_the_primary(
    open_: Open, on_replica: Database, platform: Database, settings: Settings
) -> None:
    """The replica cancels a statement whose rows the primary has removed and vacuumed meanwhile."""
    await _alter(on_replica, "SET max_standby_streaming_delay = 0")
    try:
        async with open_() as client:
            await probed(client)
            # on the replica it runs until it is cancelled
            slow = "SELECT pg_is_in_recovery()::text FROM (SELECT pg_sleep(CASE WHEN pg_is_in_recovery() THEN 60 END))"
            before = REPLICA_READS.counts.get("failed", 0)
            reading = asyncio.create_task(client.worker.reads(principal(OTHER)).text(slow))
            asleep = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            await eventually(lambda: on_replica.records(asleep))
            async with platform.transaction() as connection:
                await connection.execute(text("DELETE FROM dry_trades"))
            async with platform.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                await connection.execute(text("VACUUM dry_trades"))
            assert (await reading).result == "false"
            assert REPLICA_READS.counts["failed"] == before + 1
            assert client.worker.replicas
            assert client.worker.replicas.choose(), "the replica is in order"
    finally:
        await _alter(on_replica, "RESET max_standby_streaming_delay")


async def _alter(database: Database, change: str) -> None:
    async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text(f"ALTER SYSTEM {change}"))
        await connection.execute(text("SELECT pg_reload_conf()"))


async def test_killed_replica_costs_no_request(open_: Open, follower: PostgresServer, settings: Settings) -> None:
    async with open_(database_replica_urls=[copied(settings.database_url, follower.sockets)]) as client:
        await probed(client)
        assert (await reads(client, "{ me { mail } }"))[1] == {"replica"}
        await asyncio.to_thread(follower.kill)
        data, places = await reads(client, "{ me { mail } }")
        assert (data, places - {"lag"}) == ({"me": {"mail": "user2@fullon"}}, places & {"replica", "failed"})
        await probed(client, "down")
        assert (await reads(client, "{ me { mail } }"))[1] == {"lag"}
        await asyncio.to_thread(follower.start)
        await probed(client)
        assert (await reads(client, "{ me { mail } }"))[1] == {"replica"}


async def test_connection_that_the_replica_has_just_ended_costs_no_request(
    open_: Open, on_replica: Database, follower: PostgresServer, settings: Settings
) -> None:
    """The statement comes after the last message of the replica and before the end of the connection."""
    async with listening(SilentProxy(f"{follower.sockets}/.s.PGSQL.5432")) as proxy:
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}{urlsplit(settings.database_url).path}"
        async with open_(database_replica_urls=[url]) as client:
            await probed(client)
            assert (await reads(client, "{ me { mail } }"))[1] == {"replica"}
            proxy.keeps_open = True
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IS NOT NULL"
            await on_replica.records(f"{ended} AND pid <> pg_backend_pid()")
            await eventually(lambda: proxy.ended)
            assert await reads(client, "{ me { mail } }") == ({"me": {"mail": "user2@fullon"}}, {"replica"})
            proxy.keeps_open = False


async def test_health_and_metrics_show_replicas(settings: Settings, schema: Graph, follower: PostgresServer) -> None:
    urls = [copied(settings.database_url, follower.sockets), "postgresql://postgres@127.0.0.1:1/absent"]
    changed = settings.model_copy(update={"database_replica_urls": urls, "max_replica_lag": LONG})
    async with opened_graph(changed, schema) as client:
        replicas = client.worker.replicas
        assert replicas

        async def is_up() -> bool:
            await replicas.probe(5)
            return replicas.choose() is not None

        await eventually(is_up)
        rest = RestClient(served(changed, client.worker), client.worker)
        health, metrics = await rest.get("/health"), client.worker.metrics.text().decode()
    assert health["replicas"]["postgres-1"]["status"] == "up"
    assert health["replicas"]["postgres-2"] == {"status": "down", "lag_seconds": None}
    assert "Replica postgres-2 is down" in health["issues"]
    assert 'fullon_graphql_replica_up{replica="postgres-1"} 1.0' in metrics
    assert 'fullon_graphql_replica_up{replica="postgres-2"} 0.0' in metrics


async def test_promoted_replica_takes_over_and_is_not_read_as_a_replica(
    stores: Stores, settings: Settings, schema: Graph, platform: Database
) -> None:
    home = stores.own_folder("failover")
    home.mkdir(mode=0o711)
    with postgres_server(home / "a") as first, postgres_server(home / "b") as second:
        await asyncio.to_thread(first.copy, settings.database_url)
        await _promote(copied(settings.database_url, first.sockets), settings)
        await asyncio.to_thread(second.copy, copied(settings.database_url, first.sockets))
        on_second = copied(settings.database_url, second.sockets)
        sockets = [second.sockets, first.sockets]
        changed = settings.model_copy(
            update={
                "database_url": primary_of(settings.database_url, *sockets),
                "ohlcv_database_url": primary_of(settings.ohlcv_database_url, *sockets),
                "database_replica_urls": [on_second],
                "max_replica_lag": LONG,
                "circuit_breaker_timeout": 0.1,
            }
        )
        async with opened_graph(changed, schema, principal(TRADER)) as client:
            await probed(client)
            assert (await reads(client, "{ me { mail } }"))[1] == {"replica"}
            await asyncio.to_thread(first.kill)
            await _promote(on_second, settings)
            await probed(client, "down")
            change = 'mutation { updateProfile(input: {name: "After"}) { name } }'
            await eventually(lambda: _succeeds(client, change))
            other = client.as_(principal(OTHER))
            assert (await reads(other, "{ me { mail } }"))[1] == {"lag"}


@pytest.mark.parametrize("run", [Database.text, transact])
async def test_replica_in_place_of_the_primary_counts_as_unavailable(
    follower: PostgresServer, settings: Settings, run: Callable[..., Awaitable[Any]]
) -> None:
    breaker = CircuitBreaker("postgres", threshold=1, seconds=60)
    url = primary_of(settings.database_url, follower.sockets, follower.sockets)
    database = Database.connect(url, "tests", settings, breaker)
    with pytest.raises(Exception) as refusal:  # noqa: PT011  # the drivers raise different ones
        await run(database, "SELECT 1")
    assert isinstance(as_fullon_error(refusal.value, ""), ServiceUnavailable)
    assert breaker.state == "open"
    await database.close()


async def _promote(url: str, settings: Settings) -> None:
    database = Database.connect(url, "tests", settings)
    await database.row(text("SELECT pg_promote(true, 60)"))
    await database.close()


async def _succeeds(client: GraphClient, query: str) -> bool:
    return not (await client.ask(query)).errors


async def test_without_replicas_reads_are_those_of_the_primary(graph: GraphClient) -> None:
    assert graph.worker.reads(principal(TRADER)) is graph.worker.database
    assert graph.worker.read_candles is graph.worker.candles


@pytest.mark.parametrize(
    ("candles", "replicas"),
    [
        ("postgresql://u@db/candles", ["postgresql://u@other/candles"]),
        ("postgresql://u@elsewhere/candles", []),
    ],
)
def test_replicas_of_candles_are_those_of_the_same_server(candles: str, replicas: list[str]) -> None:
    settings = Settings(
        database_url="postgresql://u@db/users",
        ohlcv_database_url=candles,
        database_replica_urls=["postgresql://u@other/users"],
    )
    assert settings.candle_replica_urls == replicas
