"""Connections, and the events that end them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import text, update

from fullon_graphql import models
from fullon_graphql.auth.api_keys import generate_key, stored_form
from fullon_graphql.auth.credentials import ApiKeyValue, BearerToken, Credential
from fullon_graphql.auth.principal import Principal
from fullon_graphql.cache import keys
from fullon_graphql.config import Settings
from fullon_graphql.context import Worker
from fullon_graphql.database import Database
from fullon_graphql.errors import RateLimited, Unauthenticated
from fullon_graphql.models import triggers
from fullon_graphql.services.signing_in.revocation import announce
from fullon_graphql.services.user_admin import set_password
from fullon_graphql.streaming.connections import Connection, ConnectionRegistry
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import OTHER, TRADER, add
from tests.fixtures.signing_in import SignIn
from tests.fixtures.temporary_databases import execute


class OpenConnection:
    """A registered connection that records its warnings and its end."""

    def __init__(self, credential: Credential, principal: Principal) -> None:
        self.received: asyncio.Queue[str] = asyncio.Queue()
        self.connection = Connection(
            credential, principal, lambda _: self.received.put_nowait("warned"), self.received.put_nowait
        )

    async def next(self) -> str:
        async with asyncio.timeout(20):
            return await self.received.get()


@pytest.fixture
def worker(graph: GraphClient) -> Worker:
    return graph.worker


@pytest.fixture
async def connections(
    worker: Worker, settings: Settings, redis: Redis, silent_database: None
) -> AsyncIterator[ConnectionRegistry]:
    """A registry whose periodic check never runs, so that only announcements end a connection."""
    connections = ConnectionRegistry(settings.model_copy(update={"socket_recheck_interval": 3600.0}))
    async with connections.watch_credentials(worker):
        await eventually(redis.pubsub_numpat)
        yield connections


@pytest.fixture
async def silent_database(database: Database) -> AsyncIterator[None]:
    """A database without notifications about changes by other programs."""
    await switch_triggers(database, "DISABLE")
    yield
    await switch_triggers(database, "ENABLE")


async def switch_triggers(database: Database, how: str) -> None:
    async with database.transaction() as connection:
        for table in triggers.CREDENTIALS:
            await connection.execute(text(f"ALTER TABLE {table.__tablename__} {how} TRIGGER {triggers.TRIGGER}"))


async def signed_in(worker: Worker, token: str) -> OpenConnection:
    credential = BearerToken(token)
    caller = await worker.authenticator.identify(credential)
    assert isinstance(caller, Principal)
    return OpenConnection(credential, caller)


async def alter(platform: Database, table: type[Any], **values: Any) -> None:
    async with platform.transaction() as connection:
        await connection.execute(update(table).where(table.uid == TRADER).values(**values))


async def test_ended_session_ends_only_its_own_connections(
    connections: ConnectionRegistry, worker: Worker, platform: Database, redis: Redis, sign_in: SignIn
) -> None:
    leaving, staying = [await signed_in(worker, await sign_in(TRADER)) for _ in range(2)]
    stranger = await signed_in(worker, await sign_in(OTHER))
    with ExitStack() as stack:
        for connection in (leaving, staying, stranger):
            stack.enter_context(connections.registered(connection.connection))
        await worker.sessions.logout(leaving.connection.principal)
        assert "session has ended" in await leaving.next()
        assert staying.received.empty()
        await set_password(platform, redis, "user2@fullon", "changed")
        assert "session has ended" in await staying.next()
        assert stranger.received.empty()


@pytest.mark.parametrize(("change", "words"), [({"active": False}, "not active"), ({"role": "ADMIN"}, "have changed")])
async def test_changed_account_ends_its_connections(
    connections: ConnectionRegistry,
    worker: Worker,
    platform: Database,
    redis: Redis,
    sign_in: SignIn,
    change: dict[str, Any],
    words: str,
) -> None:
    connection = await signed_in(worker, await sign_in(TRADER))
    with connections.registered(connection.connection):
        await alter(platform, models.User, **change)
        await announce(redis, TRADER)
        assert words in await connection.next()


async def test_revoked_api_key_ends_its_connections(
    connections: ConnectionRegistry, worker: Worker, platform: Database, redis: Redis
) -> None:
    key = generate_key()
    await add(platform, models.ApiKey, {"uid": TRADER, "key": stored_form(key), "name": "", "scopes": "read"})
    caller = await worker.authenticator.identify(ApiKeyValue(key))
    assert isinstance(caller, Principal)
    connection = OpenConnection(ApiKeyValue(key), caller)
    with connections.registered(connection.connection):
        await alter(platform, models.ApiKey, is_active=False)
        await announce(redis, TRADER)
        await connection.next()


@pytest.fixture
async def only_database(worker: Worker, settings: Settings, database: Database) -> AsyncIterator[ConnectionRegistry]:
    """A registry that learns of changes by other programs from the database only."""
    connections = ConnectionRegistry(settings.model_copy(update={"socket_recheck_interval": 3600.0}))
    async with connections.watch_credentials(worker):
        await until_listening(database)
        yield connections


async def until_listening(database: Database, *, than: int = 0) -> int:
    """Wait for a connection that listens for changed credentials, other than `than`; returns its process id."""
    query = text(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        " AND application_name = 'fullon_graphql:credentials'"
    )

    async def other() -> int:
        return next((int(row.pid) for row in await database.rows(query) if row.pid != than), 0)

    return await eventually(other)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE users SET active = false WHERE uid = 2", "not active"),
        ("UPDATE users SET role = 'ADMIN' WHERE uid = 2", "have changed"),
        ("UPDATE users SET password = 'another' WHERE uid = 2", "session has ended"),
    ],
)
async def test_account_changed_by_another_program_ends_only_its_own_connections(
    only_database: ConnectionRegistry,
    worker: Worker,
    platform: Database,
    sign_in: SignIn,
    statement: str,
    words: str,
    settings: Settings,
) -> None:
    connection = await signed_in(worker, await sign_in(TRADER))
    stranger = await signed_in(worker, await sign_in(OTHER))
    with only_database.registered(connection.connection), only_database.registered(stranger.connection):
        await asyncio.to_thread(execute, settings.database_url, statement)
        assert words in await connection.next()
        assert stranger.received.empty()


@pytest.mark.parametrize("change", ["SET is_active = false", "SET scopes = 'read,write'", "SET uid = 3", None])
async def test_api_key_changed_by_another_program_ends_its_connections(
    only_database: ConnectionRegistry, worker: Worker, platform: Database, settings: Settings, change: str | None
) -> None:
    key = generate_key()
    row = {"api_key_id": 7, "uid": TRADER, "key": stored_form(key), "name": "", "scopes": "read"}
    await add(platform, models.ApiKey, row)
    caller = await worker.authenticator.identify(ApiKeyValue(key))
    assert isinstance(caller, Principal)
    connection = OpenConnection(ApiKeyValue(key), caller)
    with only_database.registered(connection.connection):
        statement = f"UPDATE api_keys {change}" if change else "DELETE FROM api_keys"
        await asyncio.to_thread(execute, settings.database_url, f"{statement} WHERE api_key_id = 7")
        await connection.next()


async def test_change_during_a_lost_database_connection_is_found(
    only_database: ConnectionRegistry, worker: Worker, platform: Database, settings: Settings, sign_in: SignIn
) -> None:
    connection = await signed_in(worker, await sign_in(TRADER))
    with only_database.registered(connection.connection):
        await switch_triggers(platform, "DISABLE")
        await alter(platform, models.User, active=False)
        await switch_triggers(platform, "ENABLE")
        assert connection.received.empty()
        await asyncio.to_thread(
            execute, settings.database_url, f"SELECT pg_terminate_backend({await until_listening(platform)})"
        )
        assert "not active" in await connection.next()


async def test_unannounced_change_is_found_by_the_periodic_check(
    worker: Worker, platform: Database, settings: Settings, sign_in: SignIn, silent_database: None
) -> None:
    connections = ConnectionRegistry(settings.model_copy(update={"socket_recheck_interval": 0.01}))
    connection = await signed_in(worker, await sign_in(TRADER))
    async with connections.watch_credentials(worker):
        with connections.registered(connection.connection):
            await alter(platform, models.User, active=False)
            assert "not active" in await connection.next()


async def test_lost_redis_connection_rechecks_every_credential(
    connections: ConnectionRegistry, worker: Worker, platform: Database, redis: Redis, sign_in: SignIn
) -> None:
    connection = await signed_in(worker, await sign_in(TRADER))
    with connections.registered(connection.connection):
        await alter(platform, models.User, active=False)
        await redis.client_kill_filter(_type="pubsub", skipme=True)
        assert "not active" in await connection.next()


async def test_unavailable_store_ends_no_connection(
    connections: ConnectionRegistry,
    worker: Worker,
    redis: Redis,
    platform: Database,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = await signed_in(worker, await sign_in(TRADER))
    asked = asyncio.Event()

    async def silent(*_: object, **__: object) -> None:
        asked.set()
        raise ConnectionError

    with connections.registered(connection.connection):
        monkeypatch.setattr(worker.sessions, "identify_token", silent)
        await announce(redis, TRADER)
        await asyncio.wait_for(asked.wait(), 20)
        monkeypatch.undo()
        assert connection.received.empty()
        await alter(platform, models.User, active=False)
        await announce(redis, TRADER)
        assert "not active" in await connection.next()


async def test_invalid_message_on_the_channel_is_ignored(
    connections: ConnectionRegistry, worker: Worker, redis: Redis, platform: Database, sign_in: SignIn
) -> None:
    connection = await signed_in(worker, await sign_in(TRADER))
    with connections.registered(connection.connection):
        await redis.publish(keys.CREDENTIALS.replace("*", "nobody"), "x")
        await alter(platform, models.User, active=False)
        await announce(redis, TRADER)
        assert "not active" in await connection.next()


async def test_connection_is_warned_and_ends_with_its_token(settings: Settings) -> None:
    connections = ConnectionRegistry(settings)
    soon = replace(principal(TRADER), expires_at=datetime.now(UTC) + timedelta(seconds=0.1))
    connection = OpenConnection(BearerToken("one"), soon)
    with connections.registered(connection.connection):
        assert await connection.next() == "warned"
        assert "expired" in await connection.next()


async def test_renewed_connection_outlives_its_first_token(
    connections: ConnectionRegistry, worker: Worker, sign_in: SignIn
) -> None:
    connection = await signed_in(worker, await sign_in(TRADER))
    connection.connection.principal = replace(
        connection.connection.principal, expires_at=datetime.now(UTC) + timedelta(seconds=30)
    )
    with connections.registered(connection.connection):
        assert await connection.next() == "warned"
        clock = connection.connection._timer
        await connections.renew(worker, connection.connection, BearerToken(await sign_in(TRADER)))
        assert clock is not None
        assert clock.function is None, "canceled"
        assert connection.received.empty()


async def test_connection_is_not_renewed_with_another_account(
    connections: ConnectionRegistry, worker: Worker, sign_in: SignIn
) -> None:
    connection = await signed_in(worker, await sign_in(TRADER))
    with connections.registered(connection.connection):
        for token in ("garbage", await sign_in(OTHER)):
            with pytest.raises(Unauthenticated):
                await connections.renew(worker, connection.connection, BearerToken(token))
        assert connection.connection.principal.uid == TRADER


async def test_connections_of_an_account_are_limited(settings: Settings) -> None:
    connections = ConnectionRegistry(settings.model_copy(update={"sockets_per_user": 2}))
    one, two, three = [OpenConnection(BearerToken(str(number)), principal(TRADER)) for number in range(3)]
    with connections.registered(one.connection):
        with (
            connections.registered(two.connection),
            pytest.raises(RateLimited),
            connections.registered(three.connection),
        ):
            pass
        with connections.registered(three.connection):
            pass
