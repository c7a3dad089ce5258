"""Access tokens of an external issuer (OpenID Connect), such as Keycloak or Auth0.

Its keys are public keys only, and each has one algorithm: that of the key set, or the usual one of its type. A token
chooses a key by its id, never an algorithm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jwt

from fullon_graphql.auth.signing_keys import VerifyingKey
from fullon_graphql.auth.tokens import MAX_LENGTH, verified_claims
from fullon_graphql.config import Settings
from fullon_graphql.errors import Unauthenticated

ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"})
MAX_KEYS: Final = 50
"""Keys of a set; further ones are ignored."""

_BY_TYPE: Final = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
_REQUIRED: Final = ["iss", "aud", "exp", "sub"]


@dataclass(frozen=True, slots=True)
class ExternalClaims:
    """The claims of a valid token of the external issuer."""

    subject: str
    mail: str
    expires_at: datetime
    scope: str
    """The claim `scope`; empty without one."""


def parse_keys(document: Any) -> dict[str, VerifyingKey]:
    """The usable keys of a JSON Web Key Set, by key id; secrets, encryption keys and broken keys are left out.

    A key without id has the id `""`.

    Raises:
        ValueError: it is no key set.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("the answer is no JSON Web Key Set")  # noqa: TRY004  # bad content, not a wrong use
    found: dict[str, VerifyingKey] = {}
    for each in listed[:MAX_KEYS]:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        algorithm = each.get("alg", "ES384" if each.get("crv") == "P-384" else _BY_TYPE.get(str(each.get("kty"))))
        if algorithm not in ALGORITHMS:
            continue
        try:
            key = jwt.PyJWK(each, algorithm).key
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        found[str(each.get("kid", ""))] = VerifyingKey(algorithm, key)
    return found


def issuer_of(token: str) -> str | None:
    """The claim `iss` of a token, not verified: it only decides which keys verify the token."""
    if len(token) > MAX_LENGTH:
        return None
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
        return None
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else None


def key_id_of(token: str) -> str:
    """The key id in the header of a token; empty without one.

    Raises:
        Unauthenticated: the header is malformed.
    """
    try:
        kid = jwt.get_unverified_header(token).get("kid", "")
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise Unauthenticated("The access token is malformed.") from None
    return str(kid)


def choose_key(keys: Mapping[str, VerifyingKey], kid: str) -> VerifyingKey | None:
    """The key with this id; without an id the only key."""
    if not kid and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(kid) if kid else None


def read_external_token(settings: Settings, token: str, key: VerifyingKey) -> ExternalClaims:
    """The claims of `token`, after a check of signature, issuer, audience, lifetime and mail.

    Raises:
        Unauthenticated: with the reason, without the content of the token.
    """
    try:
        claims = verified_claims(token, key, settings.oidc_issuer, settings.oidc_audience, _REQUIRED)
        return _typed(claims, settings.oidc_mail_claim)
    except jwt.ExpiredSignatureError:
        raise Unauthenticated("The access token has expired. Get a new one from its issuer.") from None
    except (jwt.InvalidIssuerError, jwt.InvalidAudienceError):
        raise Unauthenticated("The access token was issued by or for another system.") from None
    except (jwt.InvalidTokenError, ValueError, TypeError, KeyError, OverflowError):
        raise Unauthenticated("The access token is malformed, or its signature is invalid.") from None


def _typed(claims: dict[str, Any], mail_claim: str) -> ExternalClaims:
    mail, subject, scope = claims.get(mail_claim), claims["sub"], claims.get("scope", "")
    if not isinstance(mail, str) or not mail:
        raise Unauthenticated(f"The access token lacks the claim '{mail_claim}', which identifies the account.")
    if claims.get("email_verified") is False:
        raise Unauthenticated("The mail of this account has not been verified by the issuer.")
    if not isinstance(subject, str):
        raise TypeError("claims of unexpected types")
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    return ExternalClaims(subject, mail, expires_at, scope if isinstance(scope, str) else "")
