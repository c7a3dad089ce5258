"""API keys: creating, deactivating and authenticating them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import Executable, bindparam, select, update
from sqlalchemy.exc import DBAPIError

from fullon_graphql.auth.api_keys import generate_key, is_presentable, parse_scopes, stored_form
from fullon_graphql.auth.principal import Principal, Scope
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.database.precompiled import Statement, compiled
from fullon_graphql.errors import BadUserInput, Forbidden, Unauthenticated
from fullon_graphql.models import ApiKey, User
from fullon_graphql.services.access import CONTROL, SCOPES
from fullon_graphql.services.user_admin import is_administrator
from fullon_graphql.services.writing.checks import not_blank, one_of, storable
from fullon_graphql.services.writing.executor import UnitOfWork

LAST_USED_PRECISION = timedelta(minutes=1)
"""Minimum time between two writes of `last_used_at`: a busy key would otherwise update its row with every request."""

NEVER: Final = datetime.max.replace(tzinfo=UTC)
"""The expiry that is read for a key stored with `infinity`: it has no end."""


async def create(write: UnitOfWork, values: Mapping[str, Any], scopes: list[str]) -> int:
    """Create a key of the caller's: `name`, `description`, `expires_at`. The key itself is in `write.shown_once`.

    Raises:
        BadUserInput: the name is blank, a scope is unknown, or the expiry is past or later than that of the API key
            in use.
        Forbidden: a scope exceeds those of the credential in use.
    """
    not_blank(values, "name")
    row = storable(ApiKey, values)
    _check_expiry(write.principal, row.get("expires_at"))
    write.shown_once = generate_key()
    secret = {"key": stored_form(write.shown_once), "scopes": _granted(write.principal, scopes)}
    return int((await write.insert(ApiKey, row | secret | {"uid": write.principal.uid})).api_key_id)


async def deactivate(write: UnitOfWork, api_key_id: int) -> int:
    """Deactivate a key; it is refused within a second.

    Raises:
        NotFound: there is no such key that the caller may see.
    """
    key = await write.find(ApiKey, api_key_id)
    await write.update(ApiKey, key, {"is_active": False})
    return api_key_id


def _granted(principal: Principal, scopes: list[str]) -> str:
    wanted = {one_of(scope, SCOPES, "scopes") for scope in scopes}
    if not wanted:
        raise BadUserInput("`scopes` is empty; give at least one, for example read or orders:read.", field="scopes")
    for scope in sorted(wanted):
        if not principal.allows(scope) or (scope in {Scope.ADMIN, CONTROL} and not principal.is_admin):
            raise Forbidden(f"You cannot grant the scope '{scope}': your credential lacks it.")
    granted = ",".join(scope for scope in SCOPES if scope in wanted)
    return str(storable(ApiKey, {"scopes": granted})["scopes"])


def _check_expiry(principal: Principal, end: datetime | None) -> None:
    if end is not None and end <= datetime.now(UTC):
        raise BadUserInput("`expiresAt` is in the past.", field="expiresAt")
    own_end = principal.expires_at if principal.credential.startswith("api_key:") else None
    if own_end is not None and (end is None or end > own_end):
        raise BadUserInput(
            f"The API key in use expires at {own_end.isoformat()}; a new key cannot expire later.", field="expiresAt"
        )


class ApiKeys:
    """The API keys of one installation, in the platform's `api_keys`."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def identify_api_key(self, key: str) -> Principal:
        """The account of `key`, as stored now, with the key's scopes.

        `last_used_at` is written apart, and only if PostgreSQL accepts writes.

        Raises:
            Unauthenticated: the key is unknown, deactivated or expired, the account is not active, or API keys are
                switched off.
        """
        if not self._settings.enable_api_key_auth:
            raise Unauthenticated("API keys are switched off on this server (ENABLE_API_KEY_AUTH).")
        now = datetime.now(UTC)
        found = await self._find(key) if is_presentable(key) else None
        if found is None:
            raise Unauthenticated("This API key is unknown.")
        if refusal := _refusal(found, now):
            raise Unauthenticated(refusal)
        if found["last_used_at"] is None or found["last_used_at"] < now - LAST_USED_PRECISION:
            with suppress(DBAPIError):
                await self._database.row(_mark_used(found["api_key_id"], now))
        return Principal(
            uid=found["uid"],
            mail=found["mail"],
            is_admin=is_administrator(self._settings, found["mail"], found["role"]),
            credential=f"api_key:{found['api_key_id']}",
            expires_at=None if found["expires_at"] == NEVER else found["expires_at"],
            scopes=parse_scopes(found["scopes"]),
        )

    async def _find(self, key: str) -> dict[str, Any] | None:
        """The key by its hash, or by its text, as older versions of the platform store it."""
        found = await self._database.objects(_account_of_key(), hash=stored_form(key), text=key)
        return next(iter(found), None)


@cache
def _account_of_key() -> Statement:
    columns = (ApiKey.api_key_id, ApiKey.scopes, ApiKey.is_active, ApiKey.expires_at, ApiKey.last_used_at)
    query = select(*columns, User.uid, User.mail, User.role, User.active).join(User, User.uid == ApiKey.uid)
    return compiled(query.where(ApiKey.key.in_([bindparam("hash"), bindparam("text")])))


def _mark_used(api_key_id: int, now: datetime) -> Executable:
    # Never waits: the row is locked by the same update or by a change of the key.
    free = select(ApiKey.api_key_id).where(ApiKey.api_key_id == api_key_id).with_for_update(skip_locked=True)
    return update(ApiKey).where(ApiKey.api_key_id.in_(free)).values(last_used_at=now).returning(ApiKey.api_key_id)


def _refusal(found: Mapping[str, Any], now: datetime) -> str | None:
    if not found["is_active"]:
        return "This API key is deactivated."
    if found["expires_at"] is not None and found["expires_at"] <= now:
        return "This API key has expired."
    return None if found["active"] else "The account of this API key is not active."
