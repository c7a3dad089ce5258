"""Sessions: sign-in with a password, renewal, sign-out, and authentication by access token.

A session has one current refresh token, `<session uuid>.<secret>`, of which only the SHA-256 is stored. Using the token
replaces it. Using an earlier token shows that it was copied, and ends the session. A session ends
`refresh_token_days` after its last renewal.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import structlog
from redis.asyncio import Redis
from sqlalchemy import ColumnElement, Executable, Row, and_, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.auth.external_tokens import issuer_of
from fullon_graphql.auth.passwords import matches_in_thread
from fullon_graphql.auth.principal import ALL_SCOPES, Caller, Principal
from fullon_graphql.auth.tokens import issue_access_token, read_access_token
from fullon_graphql.auth.totp import is_enrolled
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.database.precompiled import Statement, compiled
from fullon_graphql.errors import BadUserInput, RateLimited, Unauthenticated
from fullon_graphql.models import Session, User
from fullon_graphql.observability.metrics import count_sign_in
from fullon_graphql.services.own_writes import OwnWrites
from fullon_graphql.services.signing_in.external_accounts import ExternalAccounts
from fullon_graphql.services.signing_in.revocation import announce
from fullon_graphql.services.signing_in.sign_in_log import SignIn, SignInLog, accepted, printable
from fullon_graphql.services.signing_in.throttle import Throttle
from fullon_graphql.services.signing_in.used_codes import use_code
from fullon_graphql.services.sources import Sources
from fullon_graphql.services.user_admin import MAIL_LENGTH, is_administrator
from fullon_graphql.services.writing.executor import UnitOfWork

INVALID_CREDENTIALS = "Invalid credentials"
"""The platform's message for every reason but a missing one-time code. It does not reveal which mails have accounts."""

_CODE_MISSING = "one-time code missing"
_CREDENTIAL = "session:"
_REFRESH_TOKEN = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[A-Za-z0-9_-]{43}")

_log = structlog.get_logger(__name__)


def alive() -> ColumnElement[bool]:
    """The condition of a session that was neither ended nor has expired."""
    return and_(Session.revoked_at.is_(None), Session.expires_at > func.now())


def is_current(caller: Caller, session_id: UUID | str) -> bool:
    """True if the caller is authenticated by this session."""
    return isinstance(caller, Principal) and caller.credential == f"{_CREDENTIAL}{session_id}"


async def are_current(sources: Sources, keys: Sequence[tuple[UUID | str]]) -> list[bool]:
    """Whether each session is the one of the caller's credential."""
    return [is_current(sources.caller, session_id) for (session_id,) in keys]


async def end(write: UnitOfWork, session_id: UUID) -> str:
    """End a session. Within a second its tokens are refused and its connections are closed.

    Raises:
        NotFound: there is no such session that the caller may see.
    """
    session = await write.find(Session, session_id)
    ending = {"revoked_at": func.now(), "reason": "ended"}
    await write.update(Session, session, {} if session.revoked_at else ending)
    return str(session_id)


async def end_others(write: UnitOfWork) -> int:
    """End all sessions of the caller except the current one; returns their number."""
    own = select(User).where(User.uid == write.principal.uid).with_for_update()
    user = (await write.connection.execute(own)).one()
    await write.update(User, user, {})  # unchanged, but the audit log names the account
    return await end_all_but_own(write, user.uid, "ended")


async def end_all_but_own(write: UnitOfWork, uid: int, reason: str) -> int:
    """End the sessions of `uid` except the current one; returns their number."""
    own = func.concat(_CREDENTIAL, Session.id) == write.principal.credential
    others = update(Session).where(Session.uid == uid, alive(), ~own)
    return (await write.connection.execute(others.values(revoked_at=func.now(), reason=reason))).rowcount


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The tokens of a session: an access token valid until `expires_at` (UTC), and a refresh token for one renewal."""

    uid: int
    access_token: str = field(repr=False)
    expires_at: datetime
    refresh_token: str = field(repr=False)
    token_type: str = "bearer"  # noqa: S105  # OAuth's name of the type, not a secret


class Sessions:
    """The sessions of one installation, in `fullon_graphql.sessions`."""

    def __init__(
        self,
        database: Database,
        redis: Redis,
        settings: Settings,
        sign_ins: SignInLog | None = None,
        own_writes: OwnWrites | None = None,
    ) -> None:
        self._database = database
        self._own_writes = own_writes
        self._redis = redis
        self._settings = settings
        self._sign_ins = sign_ins or SignInLog(database, settings)
        self._throttle = Throttle(redis, settings.login_limit)
        self._external = ExternalAccounts(database, redis, settings, self._sign_ins)

    async def login(
        self,
        mail: str,
        password: str,
        totp: str | None = None,
        address: str | None = None,
        user_agent: str | None = None,
        request_id: str = "",
    ) -> SignedIn:
        """Open a session for the active account whose mail is exactly `mail` (not trimmed, case-sensitive).

        The attempt is recorded in the audit log, whatever its outcome.

        Raises:
            Unauthenticated: with the same message after the same time for every reason, except for a missing one-time
                code after the right password.
            RateLimited: too many failures for this account or from this address, or too many sign-ins at once.
            ServiceUnavailable: Redis does not answer.
        """
        method = "password and code" if totp else "password"
        attempt = SignIn(method, printable(address), printable(user_agent), request_id)
        await self._check_throttle(mail, address)
        account = await self._account(mail)
        refusal = await self._refusal(account, password, totp)
        if account is None or refusal not in {None, _CODE_MISSING}:
            _log.info("login_refused", reason=refusal, uid=account and account.uid, address=address)
            await self._throttle.count_failure(mail, address)
            await self._sign_ins.refused(attempt, account and account.uid, mail, str(refusal))
            raise Unauthenticated(INVALID_CREDENTIALS)
        # Checked again because of concurrent attempts: beyond the limit the right password is refused too.
        await self._check_throttle(mail, address)
        if refusal == _CODE_MISSING:
            await self._sign_ins.refused(attempt, account.uid, mail, _CODE_MISSING)
            raise Unauthenticated("This account requires a one-time code; sign in with password and code.")
        await self._throttle.forget_failures(mail)
        return await self.open(account.uid, account.mail, attempt)

    async def open(
        self, uid: int, mail: str, attempt: SignIn | None = None, scopes: Collection[str] = ALL_SCOPES
    ) -> SignedIn:
        """Open a session for an authenticated account, and record the `attempt` in the audit log.

        `scopes` limit the access token; tokens of a renewed session have all scopes.
        """
        session_id = uuid4()
        refresh_token = _new_refresh_token(session_id)
        statement = insert(Session).values(
            id=session_id,
            uid=uid,
            refresh_hash=_digest(refresh_token),
            expires_at=self._expiry(),
            address=attempt and attempt.address,
            user_agent=attempt and attempt.user_agent,
        )

        async def record(connection: AsyncConnection) -> None:
            await connection.execute(statement)
            if attempt:
                await accepted(connection, attempt, uid, f"{_CREDENTIAL}{session_id}")

        await self._database.in_transaction(record)
        if attempt:
            count_sign_in("accepted")
        await self._record_write(uid)
        return self._signed_in(uid, mail, session_id, refresh_token, scopes)

    async def refresh(self, refresh_token: str) -> SignedIn:
        """Replace the tokens of the session with this current refresh token.

        Of concurrent uses one succeeds; the others count as re-use and end the session.

        Raises:
            Unauthenticated: the token is malformed or not the current one of its session, or the session has ended or
                belongs to an inactive account. A token that is not current ends its session.
        """
        session_id = _session_of(refresh_token)
        successor = _new_refresh_token(session_id)
        statement = (
            update(Session)
            .where(Session.id == session_id, Session.refresh_hash == _digest(refresh_token), alive())
            .where(Session.uid == User.uid, User.active)
            .values(refresh_hash=_digest(successor), refreshed_at=func.now(), expires_at=self._expiry())
            .returning(User.uid, User.mail)
        )
        account = await self._change(statement)
        if account is None:
            raise Unauthenticated(await self._renewal_refusal(session_id, refresh_token))
        await self._record_write(account.uid)
        return self._signed_in(account.uid, account.mail, session_id, successor)

    async def logout(self, principal: Principal) -> None:
        """End the session of `principal`; its access and refresh tokens become invalid.

        Raises:
            BadUserInput: the credential is an API key, which has no session.
        """
        if not principal.credential.startswith(_CREDENTIAL):
            raise BadUserInput("This credential has no session here; only a session can be ended.")
        await self._end_session(Session.id == UUID(principal.credential.removeprefix(_CREDENTIAL)), "logout")

    async def identify_token(self, token: str) -> Principal:
        """The account of an access token, as stored now. One statement.

        Raises:
            Unauthenticated: the token is invalid, its session has ended, or the account is not active.
            ServiceUnavailable: it is of the external issuer, which does not answer.
        """
        if self._settings.oidc_issuer and issuer_of(token) == self._settings.oidc_issuer:
            return await self._external.identify(token)
        claims = read_access_token(self._settings, token)
        found = await self._database.objects(_account_of_session(), session_id=claims.session_id)
        account = next(iter(found), None)
        if account is None or account["uid"] != claims.uid:
            raise Unauthenticated("This session has ended; sign in again.")
        if not account["active"]:
            raise Unauthenticated("This account is not active.")
        return Principal(
            uid=account["uid"],
            mail=account["mail"],
            is_admin=is_administrator(self._settings, account["mail"], account["role"]),
            credential=f"{_CREDENTIAL}{claims.session_id}",
            expires_at=claims.expires_at,
            scopes=claims.scopes,
        )

    async def _check_throttle(self, mail: str, address: str | None) -> None:
        try:
            await self._throttle.check(mail, address)
        except RateLimited:
            count_sign_in("limited")
            self._sign_ins.count_refused()
            raise

    async def _account(self, mail: str) -> Row[Any] | None:
        if len(mail) > MAIL_LENGTH or not mail.isprintable():  # some of these PostgreSQL cannot compare
            return None
        columns = (User.uid, User.mail, User.password, User.f2a, User.active)
        return await self._database.row(select(*columns).where(User.mail == mail))

    async def _refusal(self, account: Row[Any] | None, password: str, totp: str | None) -> str | None:
        """The reason to refuse, for the log; None to accept. A password check takes its time in every case."""
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

    async def _renewal_refusal(self, session_id: UUID, refresh_token: str) -> str:
        not_current = and_(Session.id == session_id, Session.refresh_hash != _digest(refresh_token))
        if await self._end_session(not_current, "refresh token re-used"):
            _log.warning("refresh_token_reused", session=str(session_id))
            return "This refresh token was used before, so the session has been ended; sign in again."
        return "This session has ended; sign in again."

    async def _end_session(self, which: ColumnElement[bool], reason: str) -> bool:
        """End a session; returns False if it had ended or expired."""
        statement = update(Session).where(which, alive()).values(revoked_at=func.now(), reason=reason)
        ended = await self._change(statement.returning(Session.uid))
        if ended is not None:
            await self._record_write(ended.uid)
            await announce(self._redis, ended.uid)
        return ended is not None

    async def _change(self, statement: Executable) -> Row[Any] | None:
        """The first row that a statement changes, in a transaction of its own."""

        async def execute(connection: AsyncConnection) -> Row[Any] | None:
            return (await connection.execute(statement)).first()

        return await self._database.in_transaction(execute)

    async def _record_write(self, uid: int) -> None:
        if self._own_writes:
            await self._own_writes.record(uid)

    def _expiry(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self._settings.refresh_token_days)

    def _signed_in(
        self, uid: int, mail: str, session_id: UUID, refresh_token: str, scopes: Collection[str] = ALL_SCOPES
    ) -> SignedIn:
        token, expires_at = issue_access_token(self._settings, uid, mail, session_id, datetime.now(UTC), scopes)
        return SignedIn(uid, token, expires_at, refresh_token)


@cache
def _account_of_session() -> Statement:
    query = select(User.uid, User.mail, User.role, User.active).join(Session, Session.uid == User.uid)
    return compiled(query.where(Session.id == bindparam("session_id"), alive()))


def _new_refresh_token(session_id: UUID) -> str:
    return f"{session_id}.{secrets.token_urlsafe(32)}"


def _session_of(refresh_token: str) -> UUID:
    parts = _REFRESH_TOKEN.fullmatch(refresh_token)
    if parts is None:
        raise Unauthenticated("The refresh token is malformed.")
    return UUID(parts[1])


def _digest(refresh_token: str) -> bytes:
    return hashlib.sha256(refresh_token.encode()).digest()
