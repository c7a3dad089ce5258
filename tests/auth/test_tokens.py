from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from fullon_graphql.auth.tokens import (
    InsecureSecretError,
    issue_access_token,
    read_access_token,
    refuse_insecure_secret,
)
from fullon_graphql.config import Settings
from fullon_graphql.errors import Unauthenticated

SECRET = "0123456789abcdef" * 4
SESSION = uuid4()
Claims = dict[str, Any]


def configured(**values: Any) -> Settings:
    return Settings(**{"jwt_secret_key": SECRET, **values})


def good_claims() -> Claims:
    token, _ = issue_access_token(configured(), 7, "a@b", SESSION, datetime.now(UTC))
    claims: Claims = jwt.decode(token, options={"verify_signature": False})
    return claims


def signed(claims: Claims, algorithm: str = "HS256", key: Any = SECRET) -> str:
    return jwt.encode(claims, key, algorithm=algorithm)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def refusal(token: str, settings: Settings | None = None) -> str:
    with pytest.raises(Unauthenticated) as refused:
        read_access_token(settings or configured(), token)
    assert len(token) < 10 or token not in str(refused.value)
    assert refused.value.__context__ is None or refused.value.__suppress_context__
    return refused.value.message


def test_issued_token_is_read_back() -> None:
    now = datetime.now(UTC)
    token, expires_at = issue_access_token(configured(jwt_expiration_minutes=15), 7, "a@b", SESSION, now)
    claims = read_access_token(configured(), token)
    assert (claims.uid, claims.mail, claims.session_id, claims.expires_at) == (7, "a@b", SESSION, expires_at)
    assert expires_at == now.replace(microsecond=0) + timedelta(minutes=15)


def test_token_has_the_claims_of_the_platform_and_ours() -> None:
    claims = good_claims()
    assert claims["sub"] == claims["username"] == claims["email"] == "a@b"
    assert claims["user_id"] == 7
    assert UUID(claims["sid"]) == SESSION
    assert (claims["iss"], claims["aud"]) == ("fullon", "fullon-graphql")
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["jti"] != good_claims()["jti"]


def test_expired_token_is_refused_with_the_reason() -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    token, _ = issue_access_token(configured(), 7, "a@b", SESSION, long_ago)
    assert "has expired" in refusal(token)


def test_token_of_a_server_with_a_clock_ahead_is_accepted() -> None:
    token, _ = issue_access_token(configured(), 7, "a@b", SESSION, datetime.now(UTC) + timedelta(seconds=30))
    assert read_access_token(configured(), token).uid == 7


def test_forged_signature_is_refused() -> None:
    assert "signature is invalid" in refusal(signed(good_claims(), key="another secret of sufficient length!"))


def test_altered_claims_are_refused() -> None:
    header, _, signature = signed(good_claims()).split(".")
    assert "signature is invalid" in refusal(f"{header}.{part(good_claims() | {'user_id': 1})}.{signature}")


@pytest.mark.parametrize("none", ["none", "None", "NONE", ""])
@pytest.mark.parametrize("signature", ["", "c2ln"])
def test_unsigned_token_is_refused(none: str, signature: str) -> None:
    assert "not signed with HS256" in refusal(f"{part({'alg': none, 'typ': 'JWT'})}.{part(good_claims())}.{signature}")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_right_secret_with_another_algorithm_is_refused(algorithm: str) -> None:
    assert "not signed with HS256" in refusal(signed(good_claims(), algorithm))


def test_asymmetric_signature_is_refused() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert "not signed with HS256" in refusal(signed(good_claims(), "RS256", key))


def test_only_the_algorithm_of_the_settings_is_accepted() -> None:
    settings = configured(jwt_algorithm="HS512")
    token, _ = issue_access_token(settings, 7, "a@b", SESSION, datetime.now(UTC))
    assert jwt.get_unverified_header(token)["alg"] == "HS512"
    assert read_access_token(settings, token).uid == 7
    assert "not signed with HS512" in refusal(signed(good_claims()), settings)


@pytest.mark.parametrize(
    ("claim", "value"), [("iss", "else"), ("aud", "else"), ("aud", ["other", "else"]), ("iss", "")]
)
def test_token_of_another_issuer_or_audience_is_refused(claim: str, value: object) -> None:
    assert "another system" in refusal(signed(good_claims() | {claim: value}))


@pytest.mark.parametrize("claim", ["sub", "user_id", "iat", "exp", "jti", "sid", "iss", "aud"])
def test_token_without_a_required_claim_is_refused(claim: str) -> None:
    claims = good_claims()
    del claims[claim]
    assert f"lacks the claim '{claim}'" in refusal(signed(claims))


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "7"},
        {"user_id": True},
        {"user_id": 7.0},
        {"sub": 7},
        {"jti": 7},
        {"sid": 7},
        {"sid": "not a uuid"},
        {"exp": "tomorrow"},
        {"exp": [1]},
        {"exp": 10**40},
        {"exp": float("inf")},
    ],
    ids=str,
)
def test_claims_of_other_types_are_refused(change: Claims) -> None:
    assert refusal(_raw(good_claims() | change)) == "The access token is malformed."


def _raw(claims: Claims) -> str:
    """Signed without PyJWT's own checks of what it signs."""
    return jwt.PyJWS().encode(json.dumps(claims).encode(), SECRET, algorithm="HS256")


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "no token at all", "ü", "\ud800", "\0", "é.é.é", part([1]) + ".e30.e30", "x" * 5000],
    ids=lambda token: ascii(token[:12]),
)
def test_malformed_token_is_refused(token: str) -> None:
    refusal(token)


def test_deeply_nested_token_is_refused() -> None:
    nested = base64.urlsafe_b64encode(b"[" * 2500).rstrip(b"=").decode()
    assert refusal(f"{nested}.e30.e30") == "The access token is malformed."


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"jwt_secret_key": Settings.model_fields["jwt_secret_key"].default}, "not set"),
        ({"jwt_secret_key": "x" * 31}, "31 bytes, too few for HS256"),
        ({"jwt_secret_key": "x" * 63, "jwt_algorithm": "HS512"}, "63 bytes, too few for HS512"),
    ],
)
def test_insecure_secret_is_accepted_in_the_demo_only(values: Claims, sentence: str) -> None:
    with pytest.raises(InsecureSecretError, match=sentence) as refused:
        refuse_insecure_secret(configured(**values))
    assert "openssl rand" in str(refused.value)
    refuse_insecure_secret(configured(**values, demo=True))


def test_long_secret_is_accepted() -> None:
    refuse_insecure_secret(configured())
    refuse_insecure_secret(configured(jwt_secret_key="x" * 32))
