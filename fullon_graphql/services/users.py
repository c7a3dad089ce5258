"""People: one sees oneself, an administrator sees all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from fullon_graphql.auth.passwords import hash_in_thread, matches_in_thread
from fullon_graphql.auth.principal import administrator
from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import Role, User
from fullon_graphql.services import exchanges
from fullon_graphql.services.signing_in.reauthentication import proven
from fullon_graphql.services.signing_in.sessions import end_all_but_own
from fullon_graphql.services.user_admin import check_mail
from fullon_graphql.services.writing.checks import one_of, storable, unchanged_since
from fullon_graphql.services.writing.executor import UnitOfWork

_UNKNOWN: Final = {"f2a": "---", "name": "", "lastname": "", "phone": "", "id_num": ""}
"""What the platform stores where nothing is known, in columns that cannot be empty."""


async def change_profile(write: UnitOfWork, values: Mapping[str, Any], expected: datetime | None = None) -> int:
    """What people change of themselves: `name`, `lastname`, `phone`, `id_num`.

    Raises:
        BadUserInput: one of them cannot be stored.
        Conflict: the account's timestamp is not the `expected` one.
    """
    user = await write.find(User, write.principal.uid)
    unchanged_since(expected, user.timestamp)
    await write.update(User, user, storable(User, values))
    return write.principal.uid


async def change_password(write: UnitOfWork, current: str, new: str) -> bool:
    """Replace the caller's own password, and end all their sessions but the one that asks.

    Raises:
        BadUserInput: `current` is not the password, or `new` cannot be one.
        RateLimited: too many wrong ones, here and at sign-in together.
    """
    user = await write.find(User, write.principal.uid)
    await proven(write, matches_in_thread(current, user.password), "currentPassword", "This is not your password.")
    await write.update(User, user, {"password": await hash_in_thread(new)})
    await end_all_but_own(write, user.uid, "password changed")
    return True


async def create(write: UnitOfWork, values: Mapping[str, Any], password: str) -> int:
    """A new active account: `mail`, and perhaps `name`, `lastname`, `role`, `phone` ... Administrators only.

    Raises:
        Forbidden: the caller is no administrator.
        BadUserInput: the mail, the password or another value cannot be.
        Conflict: the mail or the external id has an account.
    """
    administrator(write.principal)
    account = _checked(values) | {"password": await hash_in_thread(password)}
    return int((await write.insert(User, _UNKNOWN | account)).uid)


async def change(write: UnitOfWork, uid: int, values: Mapping[str, Any], expected: datetime | None = None) -> int:
    """Change anybody's account, but for password and one-time codes. Administrators only.

    An account that is deactivated, or gets another role, is signed out everywhere.

    Raises:
        Forbidden: the caller is no administrator.
        NotFound: there is no such account.
        BadUserInput: a value cannot be, or administrators would deactivate themselves.
        Conflict: the mail or the external id has an account, or the timestamp is not the `expected` one.
    """
    administrator(write.principal)
    user = await write.find(User, uid)
    unchanged_since(expected, user.timestamp)
    checked = _checked(values)
    if checked.get("active") is False and uid == write.principal.uid:
        raise BadUserInput("You cannot deactivate yourself; another administrator can.", field="active")
    new = await write.update(User, user, checked)
    if (new.active, new.role) != (user.active, user.role) and uid != write.principal.uid:
        await end_all_but_own(write, uid, "account changed")
    return uid


async def remove(write: UnitOfWork, uid: int) -> bool:
    """Delete an account with its bots, exchange accounts and API keys; its sessions end. Administrators only.

    Orders and trades stay, as the platform's tables have it.

    Raises:
        Forbidden: the caller is no administrator.
        NotFound: there is no such account.
        BadUserInput: administrators would delete themselves.
        Conflict: simulations or balances of the past stand against it, or accounts that it manages.
    """
    administrator(write.principal)
    user = await write.find(User, uid)
    if uid == write.principal.uid:
        raise BadUserInput("You cannot delete yourself; another administrator can.", field="uid")
    await exchanges.forget_all(write, uid)
    await write.delete(User, user)
    await end_all_but_own(write, uid, "account deleted")
    return True


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = storable(User, values)
    if "mail" in checked:
        check_mail(checked["mail"])
    if "role" in checked:
        checked["role"] = one_of(checked["role"], Role, "role")
    return checked
