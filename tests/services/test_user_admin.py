from __future__ import annotations

import traceback

import pytest
from redis.asyncio import Redis
from sqlalchemy import select

from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, Conflict, NotFound, Unauthenticated
from fullon_graphql.models import Role, User
from fullon_graphql.services.signing_in.sessions import Sessions
from fullon_graphql.services.user_admin import (
    Account,
    active_account,
    all_accounts,
    create_account,
    is_administrator,
    set_password,
)
from tests.services.conftest import AddAccount


async def test_new_account_can_sign_in(sessions: Sessions, database: Database) -> None:
    uid = await create_account(database, "new@fullon", "secret", role=Role.ADMIN, name="Ada", lastname="L")
    assert (await sessions.login("new@fullon", "secret")).uid == uid
    row = await database.row(select(User.role, User.name, User.lastname, User.f2a, User.active, User.phone))
    assert row == ("ADMIN", "Ada", "L", "---", True, "")


async def test_duplicate_mail_is_conflict_without_the_hash(database: Database, add_account: AddAccount) -> None:
    await add_account()
    with pytest.raises(Conflict, match="There is an account with this mail already") as refused:
        await create_account(database, "trader@fullon", "secret")
    assert "$2b$" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("mail", ["", "nobody", " a@b", "a@b ", "a@b\n", "a@b@c", "a\0@b", "m" * 79 + "@b"], ids=ascii)
async def test_invalid_mail_is_refused(database: Database, mail: str) -> None:
    with pytest.raises(BadUserInput) as refused:
        await create_account(database, mail, "secret")
    assert refused.value.field == "mail"


async def test_name_or_password_that_cannot_be_stored_is_refused(database: Database) -> None:
    with pytest.raises(BadUserInput, match="name"):
        await create_account(database, "a@b", "secret", name="n" * 51)
    with pytest.raises(BadUserInput, match="password"):
        await create_account(database, "a@b", "")
    assert await all_accounts(database) == []


async def test_new_password_ends_every_session_of_its_account_only(
    sessions: Sessions, database: Database, add_account: AddAccount, redis: Redis
) -> None:
    await add_account()
    await add_account("other@fullon")
    mine, others = [await sessions.login(mail, "secret") for mail in ("trader@fullon", "other@fullon")]
    await set_password(database, redis, "trader@fullon", "changed")
    with pytest.raises(Unauthenticated, match="ended"):
        await sessions.identify_token(mine.access_token)
    with pytest.raises(Unauthenticated):
        await sessions.refresh(mine.refresh_token)
    assert await sessions.identify_token(others.access_token)
    with pytest.raises(Unauthenticated):
        await sessions.login("trader@fullon", "secret")
    assert await sessions.login("trader@fullon", "changed")


async def test_set_password_requires_an_account(database: Database, redis: Redis) -> None:
    with pytest.raises(NotFound, match="nobody@fullon"):
        await set_password(database, redis, "nobody@fullon", "secret")


async def test_accounts_are_listed_and_found_without_secrets(database: Database, add_account: AddAccount) -> None:
    first = await add_account()
    second = await add_account("gone@fullon", active=False, role="ADMIN")
    assert await all_accounts(database) == [
        Account(first, "trader@fullon", "USER", True),
        Account(second, "gone@fullon", "ADMIN", False),
    ]
    assert (await active_account(database, "trader@fullon")).uid == first
    for mail in ("gone@fullon", "nobody@fullon"):
        with pytest.raises(NotFound):
            await active_account(database, mail)


def test_administrator_has_the_role_or_the_configured_mail() -> None:
    settings = Settings(admin_mail="boss@fullon")
    assert is_administrator(settings, "a@b", "ADMIN")
    assert is_administrator(settings, "boss@fullon", "USER")
    assert not is_administrator(settings, "Boss@fullon", "USER")
    assert not is_administrator(settings, "a@b", "admin")
