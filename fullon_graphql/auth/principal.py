"""The caller: one value per request or socket, from a token, an API key or no credential."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fullon_graphql.errors import Forbidden, Unauthenticated


class Scope(StrEnum):
    """A broad right of a credential. A session has all scopes, an API key those it was created with.

    Finer scopes are `<entity>:read`, `<entity>:write` and `services:control`; `services/access.py` lists them.
    """

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


ALL_SCOPES: frozenset[str] = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Principal:
    """An account, authenticated by one credential.

    `is_admin` is the account's role, `admin` the right of this credential.
    """

    uid: int
    mail: str
    is_admin: bool
    credential: str
    """`session:<uuid>`, `api_key:<id>` or `oidc:<digest>`: identifies it in logs and audits, without secrets."""
    expires_at: datetime | None
    """Expiry of the credential (UTC), or None for an API key without one."""
    scopes: frozenset[str] = ALL_SCOPES

    @property
    def admin(self) -> bool:
        """True if this credential has all rights of an administrator."""
        return self.is_admin and Scope.ADMIN in self.scopes

    @property
    def reads_everything(self) -> bool:
        """True if no finer scope limits what this credential reads of the rows that the account may see."""
        return Scope.READ in self.scopes

    def allows(self, scope: str) -> bool:
        """True if the credential has `scope`, or a broader one that includes it."""
        if scope in self.scopes:
            return True
        match action := scope.rpartition(":")[2]:
            case "read" | "write":
                return action in self.scopes
            case "control":
                return {Scope.WRITE, Scope.ADMIN} <= self.scopes
        return False


def is_allowed(scope: str, scopes: Collection[str]) -> bool:
    """True if `scopes` has `scope`, or broader ones that include it."""
    return any(set(each).issubset(scopes) for each in sufficient_scopes(scope))


def sufficient_scopes(scope: str) -> list[list[str]]:
    """The sets of scopes of which a credential needs one to be allowed `scope`, as `Principal.allows` decides."""
    match action := scope.rpartition(":")[2]:
        case "control":
            return [[scope], [Scope.WRITE.value, Scope.ADMIN.value]]
        case "read" | "write" if action != scope:
            return [[scope], [action]]
    return [[scope]]


@dataclass(frozen=True, slots=True)
class Anonymous:
    """No valid credential: none was given, or it was refused for `reason`."""

    reason: str | None = None


Caller = Principal | Anonymous
"""The caller of a service, which calls one of the functions below first."""


def authenticated(caller: Caller) -> Principal:
    """The principal of `caller`, whatever its scopes.

    Raises:
        Unauthenticated: the caller is not signed in.
    """
    if isinstance(caller, Anonymous):
        raise Unauthenticated(caller.reason) if caller.reason else Unauthenticated()
    return caller


def signed_in(caller: Caller, scope: str = Scope.READ) -> Principal:
    """The principal of `caller`, whose credential must have `scope`, or a broader one that includes it.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential lacks the scope.
    """
    principal = authenticated(caller)
    if not principal.allows(scope):
        raise Forbidden(f"This credential lacks the scope '{scope}'.")
    return principal


def reader(caller: Caller) -> Principal:
    """The principal of `caller`, whose credential must be able to read something.

    For code that checks the scope of each entity afterwards. Raises as `signed_in` does.
    """
    if isinstance(caller, Principal) and (
        caller.reads_everything or any(scope.endswith(":read") for scope in caller.scopes)
    ):
        return caller
    return signed_in(caller)


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
