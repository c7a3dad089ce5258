"""Who is asking: one value per request or socket, made from a token, an API key or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fullon_graphql.errors import Forbidden, Unauthenticated


class Scope(StrEnum):
    """What a credential may be used for. A person who signs in has all three; an API key only what it was given."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in account, by one credential.

    `is_admin` is the account's role; `admin` is what this credential may do with it.
    """

    uid: int
    mail: str
    is_admin: bool
    credential: str
    """`session:<uuid>` or `api_key:<id>`: names the credential in logs and audits, never a secret."""
    expires_at: datetime | None
    """When the credential ends (UTC), or None for an API key without an end."""
    scopes: frozenset[Scope] = ALL_SCOPES

    @property
    def admin(self) -> bool:
        """True where this credential sees and does everything."""
        return self.is_admin and Scope.ADMIN in self.scopes


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody: no credential came, or `reason` says why it was not accepted."""

    reason: str | None = None


Caller = Principal | Anonymous
"""What a service is handed. It calls one of the functions below first."""


def signed_in(caller: Caller, scope: Scope = Scope.READ) -> Principal:
    """The principal behind `caller`, once it may read (or whatever `scope` says).

    Raises:
        Unauthenticated: nobody is signed in.
        Forbidden: the credential lacks the scope.
    """
    if isinstance(caller, Anonymous):
        raise Unauthenticated(caller.reason) if caller.reason else Unauthenticated()
    if scope not in caller.scopes:
        raise Forbidden(f"This credential lacks the scope '{scope}'.")
    return caller


def administrator(caller: Caller) -> Principal:
    """The principal behind `caller`, once it is an administrator with an unrestricted credential.

    Raises:
        Unauthenticated: nobody is signed in.
        Forbidden: the account is not an administrator's, or the API key lacks the scope `admin`.
    """
    principal = signed_in(caller, Scope.ADMIN)
    if not principal.is_admin:
        raise Forbidden("This needs an administrator.")
    return principal
