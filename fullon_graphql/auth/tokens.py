"""Access tokens: short-lived JWTs of an account and its session.

Claims are the platform's (`sub`, `username`, `email` = mail; `user_id` = uid; `exp`) and `iat`, `jti`, `iss`, `aud`,
`sid` and `scope`; a token without `scope` has all scopes. The accepted algorithm is that of the key, never one from the
token.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt

from fullon_graphql.auth.principal import ALL_SCOPES
from fullon_graphql.auth.signing_keys import SECRET_BYTES, InvalidKeyError, VerifyingKey, signing_keys
from fullon_graphql.config import Settings
from fullon_graphql.errors import Unauthenticated

MAX_LENGTH = 4096
"""Limit before decoding; our tokens have about 500 characters."""

_REQUIRED = ["sub", "user_id", "iat", "exp", "jti", "sid", "iss", "aud"]


class InsecureSecretError(RuntimeError):
    """JWT_SECRET_KEY is not set or too short, or another key or the external issuer is not usable."""


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """The claims of a valid access token. `mail` is the address at the time of issue."""

    uid: int
    mail: str
    session_id: UUID
    token_id: str
    expires_at: datetime
    scopes: frozenset[str] = ALL_SCOPES


def refuse_insecure_secret(settings: Settings) -> None:
    """Require a secure secret, except in the demo, and usable keys. Called before any token is signed or read.

    Raises:
        InsecureSecretError: with the setting to change.
    """
    try:
        signing_keys(settings)
    except InvalidKeyError as error:
        raise InsecureSecretError(str(error)) from None
    if settings.oidc_issuer and not (settings.oidc_jwks_url and settings.oidc_audience):
        raise InsecureSecretError("OIDC_ISSUER needs OIDC_JWKS_URL and OIDC_AUDIENCE too.")
    if settings.demo:
        return
    least = SECRET_BYTES.get(settings.jwt_algorithm, SECRET_BYTES["HS256"])
    advice = f"Set it to at least {least} random bytes, for example with: openssl rand -base64 {least}"
    if settings.secret_is_insecure:
        raise InsecureSecretError(f"JWT_SECRET_KEY is not set, and the default is public. {advice}")
    length = len(settings.jwt_secret_key.get_secret_value().encode())
    if length < least:
        raise InsecureSecretError(f"JWT_SECRET_KEY has {length} bytes, too few for {settings.jwt_algorithm}. {advice}")


def issue_access_token(
    settings: Settings, uid: int, mail: str, session_id: UUID, now: datetime, scopes: Collection[str] = ALL_SCOPES
) -> tuple[str, datetime]:
    """A signed token and its expiry: JWT_EXPIRATION_MINUTES after `now` (aware), in whole seconds."""
    issued_at = now.astimezone(UTC).replace(microsecond=0)
    expires_at = issued_at + timedelta(minutes=settings.jwt_expiration_minutes)
    claims = {
        "sub": mail,
        "user_id": uid,
        "username": mail,
        "email": mail,
        "iat": issued_at,
        "exp": expires_at,
        "jti": uuid4().hex,
        "sid": str(session_id),
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "scope": " ".join(sorted(scopes)),
    }
    keys = signing_keys(settings)
    headers = {"kid": keys.key_id} if keys.key_id else None
    return jwt.encode(claims, keys.signing_key, algorithm=keys.algorithm, headers=headers), expires_at


def read_access_token(settings: Settings, token: str) -> AccessClaims:
    """The claims of `token`, after a check of signature, issuer, audience, lifetime and form.

    The session is not checked here.

    Raises:
        Unauthenticated: with the reason, without the content of the token.
    """
    if len(token) > MAX_LENGTH:
        raise Unauthenticated("The access token is too long.")
    try:
        key = _key_for(settings, token)
        return _typed(verified_claims(token, key, settings.jwt_issuer, settings.jwt_audience, _REQUIRED))
    except jwt.InvalidTokenError as error:
        raise Unauthenticated(_explained(error, settings)) from None
    except (ValueError, TypeError, KeyError, OverflowError):
        raise Unauthenticated("The access token is malformed.") from None


def verified_claims(token: str, key: VerifyingKey, issuer: str, audience: str, required: list[str]) -> dict[str, Any]:
    """The claims of `token`, after a check of signature, issuer, audience, lifetime and the `required` claims.

    Raises:
        jwt.InvalidTokenError: a check has failed.
        ValueError, TypeError, KeyError, OverflowError: the token is malformed.
    """
    # `iat` is not verified: a check would refuse new tokens of a server whose clock is a second ahead.
    options: jwt.types.Options = {"require": required, "verify_iat": False}
    claims: dict[str, Any] = jwt.decode(
        token, key.key, algorithms=[key.algorithm], issuer=issuer, audience=audience, options=options
    )
    return claims


def _key_for(settings: Settings, token: str) -> VerifyingKey:
    """The key with the id in the header of the token; the header decides nothing else."""
    keys = signing_keys(settings)
    if keys.key_id is None:
        return keys.verifying[None]
    kid = jwt.get_unverified_header(token).get("kid")
    key = keys.verifying.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise Unauthenticated("The access token is signed with a key that is not in use here. Sign in again.")
    return key


def _typed(claims: dict[str, Any]) -> AccessClaims:
    uid, mail, token_id, session_id = claims["user_id"], claims["sub"], claims["jti"], claims["sid"]
    if type(uid) is not int or not all(isinstance(text, str) for text in (mail, token_id, session_id)):
        raise TypeError("claims of unexpected types")
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    return AccessClaims(uid, mail, UUID(session_id), token_id, expires_at, scopes_in(claims.get("scope")))


def scopes_in(claim: object) -> frozenset[str]:
    """The scopes in the claim `scope` (RFC 8693: separated by blanks); all without the claim.

    Raises:
        TypeError: the claim is no text.
    """
    if claim is None:
        return ALL_SCOPES
    if not isinstance(claim, str):
        raise TypeError("the claim `scope` is no text")
    return frozenset(claim.split())


def _explained(error: jwt.InvalidTokenError, settings: Settings) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "The access token has expired. Renew it with your refresh token, or sign in again."
        case jwt.InvalidSignatureError():
            return "The access token's signature is invalid."
        case jwt.InvalidAlgorithmError():
            return f"The access token is not signed with {settings.jwt_algorithm}."
        case jwt.InvalidIssuerError() | jwt.InvalidAudienceError():
            return "The access token was issued by or for another system."
        case jwt.MissingRequiredClaimError():
            return f"The access token lacks the claim '{error.claim}'."
        case _:
            return "The access token is malformed."
