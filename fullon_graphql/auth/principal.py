"""The caller: one value per request or socket, from a token, an API key or no credential."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fullon_graphql.errors import Forbidden, Unauthenticated


class Scope(StrEnum):
    """A right of a credential. A session has all scopes, an API key those it was created with."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Principal:
    """An account, authenticated by one credential.

    `is_admin` is the account's role, `admin` the right of this credential.
    """

    uid: int
    mail: str
    is_admin: bool
    credential: str
    """`session:<uuid>` or `api_key:<id>`: identifies the credential in logs and audits, without secrets."""
    expires_at: datetime | None
    """Expiry of the credential (UTC), or None for an API key without one."""
    scopes: frozenset[Scope] = ALL_SCOPES

    @property
    def admin(self) -> bool:
        """True if this credential has all rights of an administrator."""
        return self.is_admin and Scope.ADMIN in self.scopes


@dataclass(frozen=True, slots=True)
class Anonymous:
    """No valid credential: none was given, or it was refused for `reason`."""

    reason: str | None = None


Caller = Principal | Anonymous
"""The caller of a service, which calls one of the functions below first."""


def signed_in(caller: Caller, scope: Scope = Scope.READ) -> Principal:
    """The principal of `caller`, whose credential must have `scope`.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential lacks the scope.
    """
    if isinstance(caller, Anonymous):
        raise Unauthenticated(caller.reason) if caller.reason else Unauthenticated()
    if scope not in caller.scopes:
        raise Forbidden(f"This credential lacks the scope '{scope}'.")
    return caller


def administrator(caller: Caller) -> Principal:
    """The principal of `caller`, who must be an administrator with the scope `admin`.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the account is not an administrator, or the API key lacks the scope `admin`.
    """
    principal = signed_in(caller, Scope.ADMIN)
    if not principal.is_admin:
        raise Forbidden("This requires an administrator.")
    return principal
