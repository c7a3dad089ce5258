"""Accounts for the command line: create, set a password, list, find."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.auth.passwords import hash_in_thread
from fullon_graphql.auth.principal import Principal
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, NotFound
from fullon_graphql.models import Role, Session, User
from fullon_graphql.services.signing_in.revocation import announce
from fullon_graphql.services.sources import Sources
from fullon_graphql.services.writing.conflicts import explained

MAIL_LENGTH = 80
NAME_LENGTH = 50

_MAIL = re.compile(r"[^\s@\0]+@[^\s@\0]+")
_ACCOUNTS = select(User.uid, User.mail, User.role, User.active)


@dataclass(frozen=True, slots=True)
class Account:
    """An account without secret and personal data."""

    uid: int
    mail: str
    role: str
    active: bool


def is_administrator(settings: Settings, mail: str, role: str) -> bool:
    """True if the role is ADMIN or the mail is the configured administrator's."""
    return role == Role.ADMIN or mail == settings.admin_mail


async def are_administrators(sources: Sources, keys: Sequence[tuple[str, str]]) -> list[bool]:
    """Whether each (mail, role) is one of an administrator."""
    return [is_administrator(sources.settings, mail, role) for mail, role in keys]


def check_mail(mail: str) -> None:
    """Require a valid mail.

    Raises:
        BadUserInput: it is not a mail, or too long.
    """
    if len(mail) > MAIL_LENGTH or not _MAIL.fullmatch(mail):
        raise BadUserInput(f"A mail must have the form name@domain and at most {MAIL_LENGTH} characters.", field="mail")


async def create_account(
    database: Database, mail: str, password: str, *, role: Role = Role.USER, name: str = "", lastname: str = ""
) -> int:
    """Create an active account, not enrolled for one-time codes; returns its uid.

    Raises:
        BadUserInput: the mail, a name or the password cannot be stored.
        Conflict: an account with this mail exists, or another constraint is violated.
    """
    check_mail(mail)
    if max(len(name), len(lastname)) > NAME_LENGTH:
        raise BadUserInput(f"A name must have at most {NAME_LENGTH} characters.", field="name")
    values = {"mail": mail, "password": await hash_in_thread(password), "role": role, "name": name}
    unknown = {"f2a": "---", "phone": "", "id_num": ""}  # the platform's values for unknown data in NOT NULL columns
    statement = insert(User).values(**values, **unknown, lastname=lastname).returning(User.uid)

    async def add(connection: AsyncConnection) -> int:
        return int((await connection.execute(statement)).scalar_one())

    try:
        return await database.in_transaction(add)
    except IntegrityError as error:
        # Without its cause: the failed statement contains the password's hash.
        raise (explained(error) or error) from None


async def set_password(database: Database, redis: Redis, mail: str, password: str) -> None:
    """Replace the account's password and end its sessions in one transaction; its open connections are closed.

    Raises:
        BadUserInput: the password cannot be stored.
        NotFound: there is no such account.
    """
    hashed = await hash_in_thread(password)

    async def replace(connection: AsyncConnection) -> int:
        changed = update(User).where(User.mail == mail).values(password=hashed).returning(User.uid)
        uid: int | None = (await connection.execute(changed)).scalar_one_or_none()
        if uid is None:
            raise NotFound(f"There is no account for {mail}.")
        await connection.execute(
            update(Session)
            .where(Session.uid == uid, Session.revoked_at.is_(None))
            .values(revoked_at=func.now(), reason="password changed")
        )
        return uid

    await announce(redis, await database.in_transaction(replace))


async def all_accounts(database: Database) -> Sequence[Account]:
    """Every account, oldest first."""
    return [_account(row) for row in await database.rows(_ACCOUNTS.order_by(User.uid))]


async def active_account(database: Database, mail: str) -> Account:
    """The account whose mail is exactly `mail`.

    Raises:
        NotFound: there is no such account, or it is not active.
    """
    row = await database.row(_ACCOUNTS.where(User.mail == mail, User.active))
    if row is None:
        raise NotFound(f"There is no active account for {mail}.")
    return _account(row)


async def principal_of(database: Database, settings: Settings, mail: str) -> Principal:
    """The principal of the account with exactly this mail, for commands, which need no credential.

    Raises:
        NotFound: there is no such account, or it is not active.
    """
    account = await active_account(database, mail)
    is_admin = is_administrator(settings, account.mail, account.role)
    return Principal(account.uid, account.mail, is_admin, credential="command line", expires_at=None)


def _account(row: Row[Any]) -> Account:
    return Account(row.uid, row.mail, row.role, row.active)
