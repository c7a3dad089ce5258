from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
from redis.asyncio import Redis

from fullon_graphql.auth.credentials import ApiKeyValue, BearerToken
from fullon_graphql.auth.principal import Anonymous, Principal
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.services.api_keys import ApiKeys
from fullon_graphql.services.signing_in.authenticator import Authenticator
from fullon_graphql.services.signing_in.sessions import Sessions
from tests.conftest import Count
from tests.services.conftest import AddAccount, AddApiKey


def request(token: str) -> dict[bytes, bytes]:
    return {b"authorization": b"Bearer " + token.encode()}


async def test_valid_token_identifies_a_principal(
    sessions: Sessions, api_keys: ApiKeys, add_account: AddAccount
) -> None:
    uid = await add_account()
    signed_in = await sessions.login("trader@fullon", "secret")
    caller = await Authenticator(sessions, api_keys).identify(BearerToken(signed_in.access_token))
    assert isinstance(caller, Principal)
    assert caller.uid == uid


async def test_valid_api_key_identifies_a_principal(
    sessions: Sessions, api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey
) -> None:
    uid = await add_account()
    await add_api_key(uid, "a-key-from-before")
    caller = await Authenticator(sessions, api_keys).identify(ApiKeyValue("a-key-from-before"))
    assert isinstance(caller, Principal)
    assert caller.uid == uid


async def test_caller_without_a_credential_is_anonymous(sessions: Sessions, api_keys: ApiKeys) -> None:
    assert await Authenticator(sessions, api_keys).identify(None) == Anonymous()


@pytest.mark.parametrize("credential", [BearerToken("nonsense"), ApiKeyValue("unknown-api-key"), ApiKeyValue("\0")])
async def test_caller_with_an_invalid_credential_is_anonymous_with_a_reason(
    sessions: Sessions, api_keys: ApiKeys, credential: BearerToken | ApiKeyValue
) -> None:
    caller = await Authenticator(sessions, api_keys).identify(credential)
    assert isinstance(caller, Anonymous)
    assert caller.reason
    assert credential.value not in caller.reason


async def test_unavailable_database_raises_instead_of_anonymous(
    sessions: Sessions, add_account: AddAccount, redis: Redis, settings: Settings
) -> None:
    signed_in = await sessions.open(await add_account(), "trader@fullon")
    down = Database.connect("postgresql://nobody@127.0.0.1:1/none", "down", settings)
    credential = BearerToken(signed_in.access_token)
    with pytest.raises(OSError, match="Connect"):
        await Authenticator(Sessions(down, redis, settings), ApiKeys(down, settings)).identify(credential)
    await down.close()


async def test_repeated_credential_is_looked_up_once(
    sessions: Sessions, api_keys: ApiKeys, add_account: AddAccount, statements: Count
) -> None:
    signed_in = await sessions.open(await add_account(), "trader@fullon")
    identities = Authenticator(sessions, api_keys)
    with statements() as sql:
        callers = {await identities.identify_request(request(signed_in.access_token)) for _ in range(20)}
    assert len(sql) == len(callers) == 1
    assert identities.known(request(signed_in.access_token)) in callers


async def test_credential_of_another_header_is_not_known(
    sessions: Sessions, api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey
) -> None:
    key = "a-key-from-before"
    await add_api_key(await add_account(), key)
    identities = Authenticator(sessions, api_keys)
    assert isinstance(await identities.identify_request({b"x-api-key": key.encode()}), Principal)
    for fields in ({b"authorization": key.encode()}, request(key), {b"x-api-key": b"another"}, {}):
        assert identities.known(fields) is None
        assert isinstance(await identities.identify_request(fields), Anonymous)


async def test_caller_is_known_until_the_credential_expires(
    sessions: Sessions, api_keys: ApiKeys, add_account: AddAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = request((await sessions.open(await add_account(), "trader@fullon")).access_token)
    identities = Authenticator(sessions, api_keys)
    caller = await identities.identify_request(fields)
    assert isinstance(caller, Principal)

    async def expires_soon(_token: str) -> Principal:
        return replace(caller, expires_at=datetime.now(UTC) + timedelta(seconds=0.2))

    monkeypatch.setattr(sessions, "identify_token", expires_soon)
    identities = Authenticator(sessions, api_keys)
    assert await identities.identify_request(fields)
    assert identities.known(fields)
    later = monotonic() + 0.3
    monkeypatch.setattr("fullon_graphql.services.signing_in.authenticator.monotonic", lambda: later)
    assert identities.known(fields) is None


async def test_concurrent_requests_share_look_ups(
    sessions: Sessions, api_keys: ApiKeys, add_account: AddAccount, statements: Count
) -> None:
    credential = BearerToken((await sessions.open(await add_account(), "trader@fullon")).access_token)
    identities = Authenticator(sessions, api_keys)
    with statements() as sql:
        callers = await asyncio.gather(*(identities.identify(credential) for _ in range(20)))
    assert len(sql) == 2  # that of the first request, and one that began after all others came
    assert len(set(callers)) == 1


async def test_ended_session_is_refused_within_a_second(
    sessions: Sessions, api_keys: ApiKeys, add_account: AddAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in = await sessions.open(await add_account(), "trader@fullon")
    identities = Authenticator(sessions, api_keys)
    fields = request(signed_in.access_token)
    principal = await identities.identify_request(fields)
    assert isinstance(principal, Principal)
    await sessions.logout(principal)
    later = monotonic() + 1
    monkeypatch.setattr("fullon_graphql.services.signing_in.authenticator.monotonic", lambda: later)
    assert isinstance(await identities.identify_request(fields), Anonymous)


async def test_api_keys_are_refused_if_they_are_switched_off(
    database: Database, sessions: Sessions, settings: Settings, add_account: AddAccount, add_api_key: AddApiKey
) -> None:
    await add_api_key(await add_account(), "a-key-from-before")
    api_keys = ApiKeys(database, settings.model_copy(update={"enable_api_key_auth": False}))
    caller = await Authenticator(sessions, api_keys).identify(ApiKeyValue("a-key-from-before"))
    assert isinstance(caller, Anonymous)
    assert "ENABLE_API_KEY_AUTH" in (caller.reason or "")
