"""Accounts that sign in with an access token of the external issuer.

The token's mail decides which account it is; accounts are not created. There is no session here: the token is valid
until it expires, as long as the account is active and the issuer publishes the key.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import select

from fullon_graphql.auth.external_tokens import ExternalClaims, key_id_of, read_external_token
from fullon_graphql.auth.principal import ALL_SCOPES, Principal
from fullon_graphql.auth.tokens import MAX_LENGTH
from fullon_graphql.cache import keys
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import Unauthenticated
from fullon_graphql.lru import LRUCache
from fullon_graphql.models import User
from fullon_graphql.services.access import SCOPES
from fullon_graphql.services.signing_in.issuer_keys import IssuerKeys
from fullon_graphql.services.signing_in.sign_in_log import SignIn, SignInLog
from fullon_graphql.services.user_admin import MAIL_LENGTH, is_administrator

METHOD: Final = "external issuer"

_log = structlog.get_logger(__name__)


class ExternalAccounts:
    """Authenticates tokens of the external issuer, and records the first use of each in the audit log."""

    def __init__(self, database: Database, redis: Redis, settings: Settings, sign_ins: SignInLog) -> None:
        self._database = database
        self._redis = redis
        self._settings = settings
        self._sign_ins = sign_ins
        self._keys = IssuerKeys(settings.oidc_jwks_url)
        self._recorded: LRUCache[str, bool] = LRUCache(10_000)

    async def identify(self, token: str) -> Principal:
        """The account of a token, as stored now.

        Raises:
            Unauthenticated: the token is invalid, or there is no active account with its mail.
            ServiceUnavailable: the issuer does not answer, and its keys are not known.
        """
        if len(token) > MAX_LENGTH:
            raise Unauthenticated("The access token is too long.")
        key = await self._keys.find(key_id_of(token))
        claims = read_external_token(self._settings, token, key)
        account = None
        if len(claims.mail) <= MAIL_LENGTH and claims.mail.isprintable():
            columns = (User.uid, User.mail, User.role, User.active)
            account = await self._database.row(select(*columns).where(User.mail == claims.mail))
        reason = None
        if account is None:
            reason = "unknown account"
        elif not account.active:
            reason = "inactive account"
        digest = hashlib.sha256(token.encode()).hexdigest()[:32]
        credential = f"oidc:{digest[:16]}"
        await self._record(claims, digest, credential, account and account.uid, reason)
        if account is None:
            raise Unauthenticated("There is no account with the mail of this access token.")
        if reason:
            raise Unauthenticated("This account is not active.")
        return Principal(
            uid=account.uid,
            mail=account.mail,
            is_admin=is_administrator(self._settings, account.mail, account.role),
            credential=credential,
            expires_at=claims.expires_at,
            scopes=frozenset(set(claims.scope.split()) & set(SCOPES)) or ALL_SCOPES,
        )

    async def _record(
        self, claims: ExternalClaims, digest: str, credential: str, uid: int | None, reason: str | None
    ) -> None:
        """Record the first use of a token by any worker."""
        if self._recorded.get(digest):
            return
        self._recorded.put(digest, True)
        remaining = max(1, int((claims.expires_at - datetime.now(UTC)).total_seconds()))
        try:
            if not await self._redis.set(keys.recorded_token(digest), 1, nx=True, ex=remaining):
                return
        except RedisError as error:
            _log.warning("sign_in_not_recorded", error=type(error).__name__)
            return
        if reason or uid is None:
            await self._sign_ins.refused(SignIn(METHOD), uid, claims.mail, str(reason))
        else:
            await self._sign_ins.accepted(SignIn(METHOD), uid, credential)
