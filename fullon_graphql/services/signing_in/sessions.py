"""Sessions: signing in with a password, renewing, signing out, whose session a token is, and which sessions there are.

A session has one current refresh token, `<session uuid>.<secret>`, of which only the SHA-256 is stored. Using it
replaces it. Whoever presents an earlier one shows that it is in two hands, so the whole session ends. A session nobody
renews ends `refresh_token_days` after its last renewal.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from redis.asyncio import Redis
from sqlalchemy import ColumnElement, Row, and_, func, insert, select, update

from fullon_graphql.auth.passwords import matches_in_thread
from fullon_graphql.auth.principal import Caller, Principal
from fullon_graphql.auth.tokens import issue_access_token, read_access_token
from fullon_graphql.auth.totp import is_enrolled
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, Unauthenticated
from fullon_graphql.models import Session, User
from fullon_graphql.services.signing_in.revocation import announce
from fullon_graphql.services.signing_in.throttle import Throttle
from fullon_graphql.services.signing_in.used_codes import use_code
from fullon_graphql.services.sources import Sources
from fullon_graphql.services.user_admin import MAIL_LENGTH, is_administrator
from fullon_graphql.services.writing.executor import UnitOfWork

INVALID_CREDENTIALS = "Invalid credentials"
"""The platform's sentence, for every reason but a missing one-time code: nobody learns which mails have accounts."""

_CODE_MISSING = "one-time code missing"
_CREDENTIAL = "session:"
_REFRESH_TOKEN = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[A-Za-z0-9_-]{43}")
_NOTED_CHARACTERS = 200  # of what a client says about itself; the rest is noise or an attack on the disk

_log = structlog.get_logger(__name__)


def alive() -> ColumnElement[bool]:
    """Whether the session has neither been ended nor run out."""
    return and_(Session.revoked_at.is_(None), Session.expires_at > func.now())


def names(caller: Caller, session_id: UUID | str) -> bool:
    """Whether `caller` asks in this session."""
    return isinstance(caller, Principal) and caller.credential == f"{_CREDENTIAL}{session_id}"


async def are_current(sources: Sources, keys: Sequence[tuple[UUID | str]]) -> list[bool]:
    """Whether each session is the one of the caller's credential."""
    return [names(sources.caller, session_id) for (session_id,) in keys]


async def end(write: UnitOfWork, session_id: UUID) -> str:
    """End a session: within a second its tokens are refused and its connections are closed.

    Raises:
        NotFound: no such session, or a foreign one.
    """
    session = await write.find(Session, session_id)
    ending = {"revoked_at": func.now(), "reason": "ended"}
    await write.update(Session, session, {} if session.revoked_at else ending)
    return str(session_id)


async def end_others(write: UnitOfWork) -> int:
    """End all sessions of the caller but the one that asks, and say how many; an API key is none."""
    own = select(User).where(User.uid == write.principal.uid).with_for_update()
    user = (await write.connection.execute(own)).one()
    await write.update(User, user, {})  # nothing of it changes, but whose sessions end is what there is to audit
    return await end_all_but_own(write, user.uid, "ended")


async def end_all_but_own(write: UnitOfWork, uid: int, reason: str) -> int:
    """End the sessions of `uid`, except the one in which this is asked for; how many there were."""
    own = func.concat(_CREDENTIAL, Session.id) == write.principal.credential
    others = update(Session).where(Session.uid == uid, alive(), ~own)
    return (await write.connection.execute(others.values(revoked_at=func.now(), reason=reason))).rowcount


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a client goes on with: an access token until `expires_at` (UTC), a refresh token to renew it once."""

    uid: int
    access_token: str = field(repr=False)
    expires_at: datetime
    refresh_token: str = field(repr=False)
    token_type: str = "bearer"  # noqa: S105  # the word OAuth has for it, not a secret


class Sessions:
    """The sessions of one installation, in `fullon_graphql.sessions`."""

    def __init__(self, database: Database, redis: Redis, settings: Settings) -> None:
        self._database = database
        self._redis = redis
        self._settings = settings
        self._throttle = Throttle(redis, settings.login_limit)

    async def login(
        self,
        mail: str,
        password: str,
        totp: str | None = None,
        address: str | None = None,
        user_agent: str | None = None,
    ) -> SignedIn:
        """Open a session for the active account whose mail is exactly `mail` (not trimmed; case counts).

        Raises:
            Unauthenticated: the same sentence after the same time for every reason, except that whoever knows the
                password is told when a one-time code is missing.
            RateLimited: too many failures for this account or from this address, or too many sign-ins at once.
            ServiceUnavailable: Redis does not answer.
        """
        await self._throttle.check(mail, address)
        account = await self._account(mail)
        refusal = await self._refusal(account, password, totp)
        if account is None or refusal not in {None, _CODE_MISSING}:
            _log.info("login_refused", reason=refusal, uid=account and account.uid, address=address)
            await self._throttle.count_failure(mail, address)
            raise Unauthenticated(INVALID_CREDENTIALS)
        # Again, for guesses made at the same time: once the limit is used up not even the right one learns so.
        await self._throttle.check(mail, address)
        if refusal == _CODE_MISSING:
            raise Unauthenticated("This account asks for a one-time code as well; sign in with it.")
        await self._throttle.forget_failures(mail)
        return await self.open(account.uid, account.mail, address, user_agent)

    async def open(self, uid: int, mail: str, address: str | None = None, user_agent: str | None = None) -> SignedIn:
        """A new session for an account that has proven who it is. `address` and `user_agent` are noted with it."""
        session_id = uuid4()
        refresh_token = _new_refresh_token(session_id)
        statement = insert(Session).values(
            id=session_id,
            uid=uid,
            refresh_hash=_digest(refresh_token),
            expires_at=self._end(),
            address=_noted(address),
            user_agent=_noted(user_agent),
        )
        async with self._database.transaction() as connection:
            await connection.execute(statement)
        return self._signed_in(uid, mail, session_id, refresh_token)

    async def refresh(self, refresh_token: str) -> SignedIn:
        """New tokens for the session whose current refresh token this is; afterwards it is so no longer.

        Of several uses at the same time one succeeds, and the others count as re-use.

        Raises:
            Unauthenticated: the token is malformed, or of a session that has ended or belongs to an inactive account.
                Is it not the session's current one, then the session ends with this call.
        """
        session_id = _session_of(refresh_token)
        successor = _new_refresh_token(session_id)
        statement = (
            update(Session)
            .where(Session.id == session_id, Session.refresh_hash == _digest(refresh_token), alive())
            .where(Session.uid == User.uid, User.active)
            .values(refresh_hash=_digest(successor), refreshed_at=func.now(), expires_at=self._end())
            .returning(User.uid, User.mail)
        )
        async with self._database.transaction() as connection:
            account = (await connection.execute(statement)).first()
        if account is None:
            raise Unauthenticated(await self._why_not_renewed(session_id, refresh_token))
        return self._signed_in(account.uid, account.mail, session_id, successor)

    async def logout(self, principal: Principal) -> None:
        """End the session `principal` signed in with: its access and refresh tokens are good no more.

        Raises:
            BadUserInput: the credential is an API key, which has no session.
        """
        if not principal.credential.startswith(_CREDENTIAL):
            raise BadUserInput("An API key has no session to sign out of; sign in with a password instead.")
        await self._end_session(Session.id == UUID(principal.credential.removeprefix(_CREDENTIAL)), "logout")

    async def identify_token(self, token: str) -> Principal:
        """The account an access token speaks for, as it is now. One statement.

        Raises:
            Unauthenticated: the token is no good, its session has ended, or the account is not active.
        """
        claims = read_access_token(self._settings, token)
        statement = (
            select(User.uid, User.mail, User.role, User.active)
            .join(Session, Session.uid == User.uid)
            .where(Session.id == claims.session_id, alive())
        )
        account = await self._database.row(statement)
        if account is None or account.uid != claims.uid:
            raise Unauthenticated("This session has ended; sign in again.")
        if not account.active:
            raise Unauthenticated("This account is not active.")
        return Principal(
            uid=account.uid,
            mail=account.mail,
            is_admin=is_administrator(self._settings, account.mail, account.role),
            credential=f"{_CREDENTIAL}{claims.session_id}",
            expires_at=claims.expires_at,
        )

    async def _account(self, mail: str) -> Row[Any] | None:
        if len(mail) > MAIL_LENGTH or not mail.isprintable():  # PostgreSQL cannot even compare some of these
            return None
        columns = (User.uid, User.mail, User.password, User.f2a, User.active)
        return await self._database.row(select(*columns).where(User.mail == mail))

    async def _refusal(self, account: Row[Any] | None, password: str, totp: str | None) -> str | None:
        """Why this is not the account's owner, for the log; None where it is. The password costs time in any case."""
        matches = await matches_in_thread(password, account and account.password)
        if account is None:
            return "unknown account"
        if not matches:
            return "wrong password"
        if not account.active:
            return "inactive account"
        if not is_enrolled(account.f2a):
            return None
        if not totp:
            return _CODE_MISSING
        accepted = await use_code(self._redis, account.uid, account.f2a, totp, datetime.now(UTC))
        return None if accepted else "wrong or used one-time code"

    async def _why_not_renewed(self, session_id: UUID, refresh_token: str) -> str:
        not_current = and_(Session.id == session_id, Session.refresh_hash != _digest(refresh_token))
        if await self._end_session(not_current, "refresh token re-used"):
            _log.warning("refresh_token_reused", session=str(session_id))
            return "This refresh token was used before, so the session has been ended; sign in again."
        return "This session has ended; sign in again."

    async def _end_session(self, which: ColumnElement[bool], reason: str) -> bool:
        """Whether there was a session alive to end."""
        statement = update(Session).where(which, alive()).values(revoked_at=func.now(), reason=reason)
        async with self._database.transaction() as connection:
            uid: int | None = (await connection.execute(statement.returning(Session.uid))).scalar()
        if uid is not None:
            await announce(self._redis, uid)
        return uid is not None

    def _end(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self._settings.refresh_token_days)

    def _signed_in(self, uid: int, mail: str, session_id: UUID, refresh_token: str) -> SignedIn:
        token, expires_at = issue_access_token(self._settings, uid, mail, session_id, datetime.now(UTC))
        return SignedIn(uid, token, expires_at, refresh_token)


def _new_refresh_token(session_id: UUID) -> str:
    return f"{session_id}.{secrets.token_urlsafe(32)}"


def _session_of(refresh_token: str) -> UUID:
    parts = _REFRESH_TOKEN.fullmatch(refresh_token)
    if parts is None:
        raise Unauthenticated("The refresh token is malformed.")
    return UUID(parts[1])


def _digest(refresh_token: str) -> bytes:
    return hashlib.sha256(refresh_token.encode()).digest()


def _noted(text: str | None) -> str | None:
    return None if text is None else "".join(filter(str.isprintable, text[:_NOTED_CHARACTERS]))
