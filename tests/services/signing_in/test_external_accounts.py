"""Accounts of an external issuer that publishes its keys on a local port."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from redis.asyncio import Redis
from sqlalchemy import select, update

from fullon_graphql.auth.external_tokens import parse_keys
from fullon_graphql.auth.principal import ALL_SCOPES
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, ServiceUnavailable, Unauthenticated
from fullon_graphql.models import AuditEntry, User
from fullon_graphql.services.signing_in import issuer_keys
from fullon_graphql.services.signing_in.issuer_keys import IssuerKeys
from fullon_graphql.services.signing_in.sessions import Sessions
from tests.fixtures.issuer import AUDIENCE, ISSUER, Issuer
from tests.services.conftest import AddAccount


@pytest.fixture
def external(database: Database, redis: Redis, settings: Settings, issuer: Issuer) -> Sessions:
    values = {"oidc_issuer": ISSUER, "oidc_jwks_url": issuer.url, "oidc_audience": AUDIENCE}
    return Sessions(database, redis, settings.model_copy(update=values))


async def refusal(sessions: Sessions, token: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await sessions.identify_token(token)
    return refused.value.message


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_token_identifies_the_account_with_its_mail(
    external: Sessions, issuer: Issuer, add_account: AddAccount, algorithm: str
) -> None:
    uid = await add_account(role="ADMIN")
    issuer.add_key("1", algorithm)
    principal = await external.identify_token(issuer.token("1", "trader@fullon"))
    assert (principal.uid, principal.is_admin, principal.scopes) == (uid, True, ALL_SCOPES)
    assert principal.credential.startswith("oidc:")
    assert principal.expires_at is not None
    limited = issuer.token("1", "trader@fullon", scope="openid orders:read")
    assert (await external.identify_token(limited)).scopes == {"orders:read"}
    unrelated = issuer.token("1", "trader@fullon", scope="openid email")
    assert (await external.identify_token(unrelated)).scopes == ALL_SCOPES
    with pytest.raises(BadUserInput, match="no session"):
        await external.logout(principal)


async def test_invalid_tokens_are_refused(
    external: Sessions, issuer: Issuer, add_account: AddAccount, database: Database
) -> None:
    await add_account()
    issuer.add_key("1")
    issuer.add_key("2", publish=False)
    past = datetime.now(UTC) - timedelta(minutes=1)
    claims: list[tuple[dict[str, Any], str]] = [
        ({"aud": "other"}, "another system"),
        ({"exp": past}, "expired"),
        ({"exp": None}, "malformed"),
        ({"sub": None}, "malformed"),
        ({"email": None}, "lacks the claim 'email'"),
        ({"email": 7}, "lacks the claim 'email'"),
        ({"email_verified": False}, "has not been verified"),
        ({"email": "nobody@fullon"}, "no account"),
        ({"email": "a\0b"}, "no account"),
        ({"iss": "https://else"}, "not signed with HS256"),
    ]
    for changed, message in claims:
        assert message in await refusal(external, issuer.token("1", "trader@fullon", **changed))
    assert "does not publish" in await refusal(external, issuer.token("2", "trader@fullon"))
    good = jwt.decode(issuer.token("1", "trader@fullon"), options={"verify_signature": False})
    with_secret = jwt.encode(good, "x" * 64, "HS256", {"kid": "1"})
    assert "signature is invalid" in await refusal(external, with_secret)
    assert "signature is invalid" in await refusal(external, jwt.encode(good, "", "none", {"kid": "1"}))
    async with database.transaction() as connection:
        await connection.execute(update(User).values(active=False))
    assert "not active" in await refusal(external, issuer.token("1", "trader@fullon"))


async def test_first_use_of_a_token_is_recorded_once(
    external: Sessions, issuer: Issuer, add_account: AddAccount, database: Database, redis: Redis, settings: Settings
) -> None:
    uid = await add_account()
    issuer.add_key("1")
    token = issuer.token("1", "trader@fullon")
    another_worker = Sessions(database, redis, external._settings)
    for sessions in (external, external, another_worker):
        await sessions.identify_token(token)
    await refusal(external, issuer.token("1", "nobody@fullon"))
    accepted, refused = await database.rows(select(AuditEntry).order_by(AuditEntry.seq))
    assert (accepted.uid, accepted.after["method"], accepted.after["outcome"]) == (uid, "external issuer", "accepted")
    assert (refused.uid, refused.after["reason"]) == (0, "unknown account")
    assert "nobody" not in str(refused)


async def test_rotated_key_is_fetched_at_its_first_token(
    external: Sessions, issuer: Issuer, add_account: AddAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_account()
    monkeypatch.setattr(issuer_keys, "PAUSE", 0.0)
    issuer.add_key("1")
    before = issuer.token("1", "trader@fullon")
    await external.identify_token(before)
    issuer.add_key("2", "ES256")
    await external.identify_token(issuer.token("2", "trader@fullon"))
    await external.identify_token(before)
    assert issuer.requests == 2
    issuer.published = issuer.published[1:]
    await refusal(external, issuer.token("1", "trader@fullon") + "x")  # the key is known still
    issuer.add_key("3")
    await external.identify_token(issuer.token("3", "trader@fullon"))
    assert "does not publish" in await refusal(external, before)


async def test_unknown_key_ids_do_not_flood_the_issuer(issuer: Issuer) -> None:
    issuer.add_key("1")
    keys = IssuerKeys(issuer.url)
    answers = await asyncio.gather(*(keys.find(f"unknown {n}") for n in range(50)), return_exceptions=True)
    assert all(isinstance(answer, Unauthenticated) for answer in answers)
    assert await keys.find("1")
    assert issuer.requests == 1


async def test_known_keys_outlive_an_outage_of_the_issuer(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer.add_key("1")
    keys = IssuerKeys(issuer.url)
    issuer.status = 500
    with pytest.raises(ServiceUnavailable):
        await keys.find("1")
    monkeypatch.setattr(issuer_keys, "PAUSE", 0.0)
    issuer.status = 200
    assert await keys.find("1")
    issuer.status = 500
    monkeypatch.setattr(issuer_keys, "LIFETIME", 0.0)
    assert await keys.find("1")
    assert issuer.requests == 3
    monkeypatch.setattr(issuer_keys, "LONGEST_LIFETIME", 0.0)
    with pytest.raises(ServiceUnavailable):
        await keys.find("1")


async def test_answer_that_is_too_long_is_left_out(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer.add_key("1")
    monkeypatch.setattr(issuer_keys, "MAX_BYTES", 100)
    with pytest.raises(ServiceUnavailable):
        await IssuerKeys(issuer.url).find("1")


def test_secrets_and_encryption_keys_of_a_key_set_are_left_out(issuer: Issuer) -> None:
    issuer.add_key("good", "ES256")
    [good] = issuer.published
    listed = [
        good,
        {"kty": "oct", "kid": "secret", "k": "eHh4eHh4eHg", "alg": "HS256"},
        {"kty": "oct", "kid": "disguised", "k": "eHh4eHh4eHg", "alg": "RS256"},
        good | {"kid": "encryption", "use": "enc"},
        good | {"kid": "no algorithm of ours", "alg": "HS256"},
        good | {"kid": "broken", "x": "?"},
        {"kid": "empty"},
        "text",
    ]
    assert set(parse_keys({"keys": listed})) == {"good"}
    wrongs: list[Any] = [None, [], {}, {"keys": 1}]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="no JSON Web Key Set"):
            parse_keys(wrong)
