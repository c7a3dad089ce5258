from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from fullon_graphql.auth.api_keys import generate_key, stored_form
from fullon_graphql.auth.principal import Scope, administrator, signed_in
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import Forbidden, Unauthenticated
from fullon_graphql.models import ApiKey
from fullon_graphql.services.api_keys import ApiKeys
from tests.conftest import Count
from tests.fixtures.read_only import read_only
from tests.services.conftest import AddAccount, AddApiKey

LEGACY = "Zm9vYmFyYmF6-legacy-clear-text-key_43-chars"


async def last_used(database: Database) -> datetime | None:
    row = await database.row(select(ApiKey.last_used_at))
    assert row is not None
    moment: datetime | None = row[0]
    return moment


async def test_hashed_key_identifies_its_owner(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey
) -> None:
    key = generate_key()
    uid = await add_account()
    key_id = await add_api_key(uid, stored_form(key))
    principal = await api_keys.identify_api_key(key)
    assert (principal.uid, principal.mail, principal.is_admin) == (uid, "trader@fullon", False)
    assert principal.credential == f"api_key:{key_id}"
    assert principal.expires_at is None
    assert principal.scopes == {Scope.READ, Scope.WRITE}


async def test_legacy_key_in_clear_text_identifies_its_owner(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey
) -> None:
    uid = await add_account()
    await add_api_key(uid, LEGACY)
    assert (await api_keys.identify_api_key(LEGACY)).uid == uid


async def test_hash_from_the_table_is_refused(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey
) -> None:
    hashed = stored_form(generate_key())
    await add_api_key(await add_account(), hashed)
    with pytest.raises(Unauthenticated, match="is unknown"):
        await api_keys.identify_api_key(hashed)


@pytest.mark.parametrize("key", ["", "short-key", "unknown-but-long-enough", LEGACY.lower(), LEGACY + " ", "nul\0" * 5])
async def test_unknown_key_is_refused(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey, key: str
) -> None:
    uid = await add_account()
    await add_api_key(uid, LEGACY)
    await add_api_key(uid, "short-key")
    with pytest.raises(Unauthenticated, match="is unknown") as refused:
        await api_keys.identify_api_key(key)
    assert not key or key not in refused.value.message


async def test_deactivated_key_is_refused(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey, database: Database
) -> None:
    await add_api_key(await add_account(), LEGACY, is_active=False)
    with pytest.raises(Unauthenticated, match="deactivated"):
        await api_keys.identify_api_key(LEGACY)
    assert await last_used(database) is None


async def test_expired_key_is_refused(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey, database: Database
) -> None:
    await add_api_key(await add_account(), LEGACY, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(Unauthenticated, match="expired"):
        await api_keys.identify_api_key(LEGACY)
    assert await last_used(database) is None


async def test_expiry_of_a_key_is_read_as_utc(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey, database: Database
) -> None:
    await add_api_key(await add_account(), LEGACY)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE api_keys SET expires_at = '2099-01-02 03:04:05'"))
    principal = await api_keys.identify_api_key(LEGACY)
    assert principal.expires_at == datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)


async def test_key_that_never_ends_is_accepted(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey, database: Database
) -> None:
    await add_api_key(await add_account(), LEGACY)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE api_keys SET expires_at = 'infinity', last_used_at = '-infinity'"))
    assert (await api_keys.identify_api_key(LEGACY)).expires_at is None


async def test_key_of_an_inactive_account_is_refused(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey, database: Database
) -> None:
    await add_api_key(await add_account(active=False), LEGACY)
    with pytest.raises(Unauthenticated, match="not active"):
        await api_keys.identify_api_key(LEGACY)
    assert await last_used(database) is None


@pytest.mark.parametrize(("role", "scopes"), [("ADMIN", "read,write"), ("USER", "read,write,admin")])
async def test_admin_key_requires_the_role_and_the_scope(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey, role: str, scopes: str
) -> None:
    await add_api_key(await add_account("boss@fullon", role="ADMIN"), "the-key-with-both", scopes="read,write,admin")
    assert administrator(await api_keys.identify_api_key("the-key-with-both")).admin
    await add_api_key(await add_account(role=role), LEGACY, scopes=scopes)
    with pytest.raises(Forbidden):
        administrator(await api_keys.identify_api_key(LEGACY))


async def test_key_without_scopes_may_only_read(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey
) -> None:
    await add_api_key(await add_account(role="ADMIN"), LEGACY, scopes="")
    principal = await api_keys.identify_api_key(LEGACY)
    assert signed_in(principal, Scope.READ)
    with pytest.raises(Forbidden):
        signed_in(principal, Scope.WRITE)


async def test_last_use_is_stored_at_most_once_a_minute(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey, database: Database
) -> None:
    await add_api_key(await add_account(), LEGACY)
    await api_keys.identify_api_key(LEGACY)
    noted = await last_used(database)
    assert noted is not None
    assert abs(datetime.now(UTC) - noted) < timedelta(minutes=1)
    await api_keys.identify_api_key(LEGACY)
    assert await last_used(database) == noted


async def test_last_use_is_stored_again_after_a_minute(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey, database: Database
) -> None:
    earlier = datetime.now(UTC) - timedelta(seconds=61)
    await add_api_key(await add_account(), LEGACY, last_used_at=earlier)
    await api_keys.identify_api_key(LEGACY)
    noted = await last_used(database)
    assert noted is not None
    assert noted > earlier


async def test_locked_row_does_not_delay_the_request(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey, database: Database
) -> None:
    """A statement that waited for the row would wait for this test and end in a timeout."""
    uid = await add_account()
    await add_api_key(uid, LEGACY)
    async with database.transaction() as connection:
        await connection.execute(text("SELECT 1 FROM api_keys FOR UPDATE"))
        assert (await api_keys.identify_api_key(LEGACY)).uid == uid
    assert await last_used(database) is None


async def test_recently_used_key_takes_one_statement(
    api_keys: ApiKeys, add_account: AddAccount, add_api_key: AddApiKey, statements: Count
) -> None:
    await add_api_key(await add_account(), LEGACY)
    await api_keys.identify_api_key(LEGACY)
    with statements() as seen:
        await api_keys.identify_api_key(LEGACY)
    assert len(seen) == 1


async def test_key_is_accepted_by_a_read_only_server(
    settings: Settings, add_account: AddAccount, add_api_key: AddApiKey, database: Database
) -> None:
    uid = await add_account()
    await add_api_key(uid, LEGACY)
    async with read_only(settings) as replica:
        assert (await ApiKeys(replica, settings).identify_api_key(LEGACY)).uid == uid
    assert await last_used(database) is None
