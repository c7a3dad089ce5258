"""Accounts of people: their profile and password, and administration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Text, and_, cast, or_, select, update

from fullon_graphql.auth.passwords import hash_in_thread, matches_in_thread
from fullon_graphql.auth.principal import administrator
from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import ApiKey, AuditEntry, Role, Session, User
from fullon_graphql.services import audit, exchanges
from fullon_graphql.services.signing_in.reauthentication import reauthenticate
from fullon_graphql.services.signing_in.sessions import end_all_but_own
from fullon_graphql.services.user_admin import check_mail
from fullon_graphql.services.writing.checks import one_of, storable, unchanged_since
from fullon_graphql.services.writing.executor import UnitOfWork, image

_UNKNOWN: Final = {"f2a": "---", "name": "", "lastname": "", "phone": "", "id_num": ""}
"""The platform's values for unknown data in NOT NULL columns."""

_NO_DOMAIN: Final = "fullon.invalid"
"""The domain of mails of anonymized accounts: the top-level domain is reserved, so no mail can be delivered."""


async def change_profile(write: UnitOfWork, values: Mapping[str, Any], expected: datetime | None = None) -> int:
    """Change the caller's own profile: `name`, `lastname`, `phone`, `id_num`.

    Raises:
        BadUserInput: a value is invalid.
        Conflict: the account's timestamp is not the `expected` one.
    """
    user = await write.find(User, write.principal.uid)
    unchanged_since(expected, user.timestamp)
    await write.update(User, user, storable(User, values))
    return write.principal.uid


async def change_password(write: UnitOfWork, current: str, new: str) -> bool:
    """Replace the caller's own password, and end all their sessions except the current one.

    Raises:
        BadUserInput: `current` is wrong, or `new` is not a valid password.
        RateLimited: too many wrong passwords, sign-in included.
    """
    user = await write.find(User, write.principal.uid)
    await reauthenticate(
        write, matches_in_thread(current, user.password), "currentPassword", "The current password is wrong."
    )
    await write.update(User, user, {"password": await hash_in_thread(new)})
    await end_all_but_own(write, user.uid, "password changed")
    return True


async def create(write: UnitOfWork, values: Mapping[str, Any], password: str) -> int:
    """Create an active account: `mail`, optionally `name`, `lastname`, `role`, `phone` ... Administrators only.

    Raises:
        Forbidden: the caller is not an administrator.
        BadUserInput: the mail, the password or another value is invalid.
        Conflict: an account with the mail or the external id exists.
    """
    administrator(write.principal)
    account = _checked(values) | {"password": await hash_in_thread(password)}
    return int((await write.insert(User, _UNKNOWN | account)).uid)


async def change(write: UnitOfWork, uid: int, values: Mapping[str, Any], expected: datetime | None = None) -> int:
    """Change any account, except its password and one-time codes. Administrators only.

    Deactivating an account or changing its role ends its sessions.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such account.
        BadUserInput: a value is invalid, or the account to deactivate is the caller's own.
        Conflict: an account with the mail or the external id exists, or the timestamp is not the `expected` one.
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

    Its orders and trades stay: the platform's tables have no foreign key there.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such account.
        BadUserInput: the account is the caller's own.
        Conflict: simulations, past balances or managed accounts refer to it.
    """
    administrator(write.principal)
    user = await write.find(User, uid)
    if uid == write.principal.uid:
        raise BadUserInput("You cannot delete yourself; another administrator can.", field="uid")
    await exchanges.invalidate_cache_of(write, uid)
    await write.delete(User, user)
    await end_all_but_own(write, uid, "account deleted")
    return True


async def anonymize(write: UnitOfWork, uid: int) -> int:
    """Blank the personal data of an account, and deactivate it with its sessions and API keys. Administrators only.

    Name, phone, identity document, note, mail and external id are blanked in the account and in the audit log, with
    addresses and user agents of the account's sign-ins. Bots, orders, trades and balances stay.

    Raises:
        Forbidden: the caller is not an administrator.
        NotFound: there is no such account.
        BadUserInput: the account is the caller's own.
    """
    administrator(write.principal)
    user = await write.find(User, uid)
    if uid == write.principal.uid:
        raise BadUserInput("You cannot anonymize yourself; another administrator can.", field="uid")
    await exchanges.invalidate_cache_of(write, uid)
    connection = write.connection
    blank = _UNKNOWN | {"mail": f"anonymized-{uid}@{_NO_DOMAIN}", "password": "", "note": None, "external_id": None}
    changed = update(User).where(User.uid == uid).values(**blank, active=False).returning(User)
    new = (await connection.execute(changed)).one()
    write.record("User", str(uid), audit.blanked(image(User, user)), image(User, new))
    await connection.execute(update(ApiKey).where(ApiKey.uid == uid).values(is_active=False))
    await end_all_but_own(write, uid, "account anonymized")
    await connection.execute(update(Session).where(Session.uid == uid).values(address=None, user_agent=None))
    await _redact_log(write, uid)
    return uid


async def _redact_log(write: UnitOfWork, uid: int) -> None:
    """Blank the personal data of an account in the audit log: in changes of its row and sessions, and in sign-ins."""
    sessions = select(cast(Session.id, Text)).where(Session.uid == uid)
    of_account = and_(AuditEntry.entity == "User", AuditEntry.key == str(uid))
    of_sessions = and_(AuditEntry.entity == "Session", AuditEntry.key.in_(sessions))
    principal, operation = write.principal, "anonymizeUser"
    by = audit.Event(principal.uid, principal.credential, operation, "User", str(uid), "", None, None, write.request_id)
    await audit.redact(write.connection, or_(of_account, of_sessions), by)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = storable(User, values)
    if "mail" in checked:
        check_mail(checked["mail"])
    if "role" in checked:
        checked["role"] = one_of(checked["role"], Role, "role")
    return checked
