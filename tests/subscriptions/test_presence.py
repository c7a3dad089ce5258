"""Who is connected, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import update

from fullon_graphql import models
from fullon_graphql.auth.api_keys import generate_key, stored_form
from fullon_graphql.auth.credentials import ApiKeyValue, BearerToken, Credential
from fullon_graphql.auth.principal import Principal
from fullon_graphql.cache import keys
from fullon_graphql.config import Settings
from fullon_graphql.context import Process
from fullon_graphql.database import Database
from fullon_graphql.errors import RateLimited, Unauthenticated
from fullon_graphql.services.accounts import set_password
from fullon_graphql.services.revocation import announce
from fullon_graphql.subscriptions.presence import Presence, Presences
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import OTHER, TRADER, add
from tests.fixtures.signing_in import SignIn


class Connection:
    """Somebody's, which notes what happens to it."""

    def __init__(self, credential: Credential, principal: Principal) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.presence = Presence(
            credential, principal, lambda _: self.heard.put_nowait("warned"), self.heard.put_nowait
        )

    async def next(self) -> str:
        async with asyncio.timeout(20):
            return await self.heard.get()


@pytest.fixture
def process(graph: GraphClient) -> Process:
    return graph.process


@pytest.fixture
async def presences(process: Process, settings: Settings, redis: Redis) -> AsyncIterator[Presences]:
    """They look round so rarely that only what is announced can be what ends a connection."""
    presences = Presences(settings.model_copy(update={"socket_recheck_interval": 3600.0}))
    async with presences.watched(process):
        while not await redis.pubsub_numpat():
            await asyncio.sleep(0.01)
        yield presences


async def signed_in(process: Process, token: str) -> Connection:
    credential = BearerToken(token)
    caller = await process.identities.identify(credential)
    assert isinstance(caller, Principal)
    return Connection(credential, caller)


async def alter(platform: Database, table: type[Any], **values: Any) -> None:
    async with platform.transaction() as connection:
        await connection.execute(update(table).where(table.uid == TRADER).values(**values))


async def test_what_ends_a_credential_ends_its_connections_and_no_others(
    presences: Presences, process: Process, platform: Database, redis: Redis, sign_in: SignIn
) -> None:
    leaving, staying = [await signed_in(process, await sign_in(TRADER)) for _ in range(2)]
    stranger = await signed_in(process, await sign_in(OTHER))
    with ExitStack() as stack:
        for connection in (leaving, staying, stranger):
            stack.enter_context(presences.present(connection.presence))
        await process.sessions.logout(leaving.presence.principal)
        assert "session has ended" in await leaving.next()
        assert staying.heard.empty()
        await set_password(platform, redis, "user2@fullon", "changed")
        assert "session has ended" in await staying.next()
        assert stranger.heard.empty()


@pytest.mark.parametrize(("change", "words"), [({"active": False}, "not active"), ({"role": "ADMIN"}, "has changed")])
async def test_what_changes_an_account_ends_its_connections(
    presences: Presences,
    process: Process,
    platform: Database,
    redis: Redis,
    sign_in: SignIn,
    change: dict[str, Any],
    words: str,
) -> None:
    connection = await signed_in(process, await sign_in(TRADER))
    with presences.present(connection.presence):
        await alter(platform, models.User, **change)
        await announce(redis, TRADER)
        assert words in await connection.next()


async def test_a_revoked_api_key_ends_its_connections(
    presences: Presences, process: Process, platform: Database, redis: Redis
) -> None:
    key = generate_key()
    await add(platform, models.ApiKey, {"uid": TRADER, "key": stored_form(key), "name": "", "scopes": "read"})
    caller = await process.identities.identify(ApiKeyValue(key))
    assert isinstance(caller, Principal)
    connection = Connection(ApiKeyValue(key), caller)
    with presences.present(connection.presence):
        await alter(platform, models.ApiKey, is_active=False)
        await announce(redis, TRADER)
        await connection.next()


async def test_what_nobody_has_announced_is_found_by_looking_round(
    process: Process, platform: Database, settings: Settings, sign_in: SignIn
) -> None:
    presences = Presences(settings.model_copy(update={"socket_recheck_interval": 0.01}))
    connection = await signed_in(process, await sign_in(TRADER))
    async with presences.watched(process):
        with presences.present(connection.presence):
            await alter(platform, models.User, active=False)
            assert "not active" in await connection.next()


async def test_after_a_lost_connection_to_redis_everybody_is_looked_at(
    presences: Presences, process: Process, platform: Database, redis: Redis, sign_in: SignIn
) -> None:
    connection = await signed_in(process, await sign_in(TRADER))
    with presences.present(connection.presence):
        await alter(platform, models.User, active=False)
        await redis.client_kill_filter(_type="pubsub", skipme=True)
        assert "not active" in await connection.next()


async def test_a_silent_store_ends_nobodys_connection(
    presences: Presences,
    process: Process,
    redis: Redis,
    platform: Database,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = await signed_in(process, await sign_in(TRADER))
    asked = asyncio.Event()

    async def silent(*_: object, **__: object) -> None:
        asked.set()
        raise ConnectionError

    with presences.present(connection.presence):
        monkeypatch.setattr(process.sessions, "identify_token", silent)
        await announce(redis, TRADER)
        await asyncio.wait_for(asked.wait(), 20)
        monkeypatch.undo()
        assert connection.heard.empty()
        await alter(platform, models.User, active=False)
        await announce(redis, TRADER)
        assert "not active" in await connection.next()


async def test_nonsense_on_the_channel_does_no_harm(
    presences: Presences, process: Process, redis: Redis, platform: Database, sign_in: SignIn
) -> None:
    connection = await signed_in(process, await sign_in(TRADER))
    with presences.present(connection.presence):
        await redis.publish(keys.CREDENTIALS.replace("*", "nobody"), "x")
        await alter(platform, models.User, active=False)
        await announce(redis, TRADER)
        assert "not active" in await connection.next()


async def test_a_connection_is_warned_and_ends_when_its_token_does(presences: Presences) -> None:
    soon = replace(principal(TRADER), expires_at=datetime.now(UTC) + timedelta(seconds=0.1))
    connection = Connection(BearerToken("one"), soon)
    with presences.present(connection.presence):
        assert await connection.next() == "warned"
        assert "expired" in await connection.next()


async def test_a_renewed_connection_outlives_its_first_token(
    presences: Presences, process: Process, sign_in: SignIn
) -> None:
    connection = await signed_in(process, await sign_in(TRADER))
    connection.presence.principal = replace(
        connection.presence.principal, expires_at=datetime.now(UTC) + timedelta(seconds=30)
    )
    with presences.present(connection.presence):
        assert await connection.next() == "warned"
        clock = connection.presence._timers
        await presences.renew(process, connection.presence, BearerToken(await sign_in(TRADER)))
        assert all(timer.cancelled() or timer.when() <= asyncio.get_running_loop().time() for timer in clock)
        assert connection.heard.empty()


async def test_nobody_goes_on_with_the_credential_of_another(
    presences: Presences, process: Process, sign_in: SignIn
) -> None:
    connection = await signed_in(process, await sign_in(TRADER))
    with presences.present(connection.presence):
        for token in ("garbage", await sign_in(OTHER)):
            with pytest.raises(Unauthenticated):
                await presences.renew(process, connection.presence, BearerToken(token))
        assert connection.presence.principal.uid == TRADER


async def test_one_account_has_so_many_connections(settings: Settings) -> None:
    presences = Presences(settings.model_copy(update={"sockets_per_user": 2}))
    one, two, three = [Connection(BearerToken(str(number)), principal(TRADER)) for number in range(3)]
    with presences.present(one.presence):
        with presences.present(two.presence), pytest.raises(RateLimited), presences.present(three.presence):
            pass
        with presences.present(three.presence):
            pass
