from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fullon_graphql.auth.signing_keys import signing_keys
from fullon_graphql.auth.tokens import (
    InsecureSecretError,
    issue_access_token,
    read_access_token,
    refuse_insecure_secret,
)
from fullon_graphql.config import Settings
from fullon_graphql.errors import Unauthenticated
from tests.fixtures.issuer import new_key, write_private, write_public

ALGORITHMS = ["RS256", "ES256", "EdDSA"]


def configured(folder: Path, algorithm: str, key: Any, name: str = "signing", **values: Any) -> Settings:
    file = write_private(key, folder / f"{name}.pem")
    ours = {"jwt_secret_key": "x" * 32, "jwt_algorithm": algorithm, "jwt_private_key_file": str(file)}
    return Settings(**{**ours, **values})


def issued(settings: Settings) -> str:
    return issue_access_token(settings, 7, "a@b", uuid4(), datetime.now(UTC))[0]


def refusal(settings: Settings, token: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        read_access_token(settings, token)
    return refused.value.message


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_token_is_signed_with_the_private_key_and_its_id(tmp_path: Path, algorithm: str) -> None:
    settings = configured(tmp_path, algorithm, new_key(algorithm))
    refuse_insecure_secret(settings)
    token = issued(settings)
    [published] = signing_keys(settings).jwks["keys"]
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": published["kid"]}
    assert published["alg"] == algorithm
    assert "d" not in published
    assert read_access_token(settings, token).uid == 7
    # Any other server can verify it with the published key set.
    key = jwt.PyJWKSet.from_dict(dict(signing_keys(settings).jwks))[published["kid"]]
    assert jwt.decode(token, key, audience=settings.jwt_audience)["user_id"] == 7


@pytest.mark.parametrize(("before", "after"), [("RS256", "RS256"), ("RS256", "ES256"), ("ES256", "EdDSA")])
def test_rotation_of_keys_ends_no_session(tmp_path: Path, before: str, after: str) -> None:
    old, new = new_key(before), new_key(after)
    old_token = issued(configured(tmp_path, before, old, "old"))
    write_public(old, tmp_path / "public" / "old.pem")
    rotated = configured(tmp_path, after, new, "new", jwt_public_keys=str(tmp_path / "public"))
    assert read_access_token(rotated, old_token).uid == 7
    assert read_access_token(rotated, issued(rotated)).uid == 7
    assert len(signing_keys(rotated).jwks["keys"]) == 2
    without = configured(tmp_path, after, new, "alone")
    assert "not in use here" in refusal(without, old_token)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_algorithm_is_never_taken_from_the_token(tmp_path: Path, algorithm: str) -> None:
    key = new_key(algorithm)
    settings = configured(tmp_path, algorithm, key)
    token = issued(settings)
    claims, kid = jwt.decode(token, options={"verify_signature": False}), signing_keys(settings).key_id
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forger: Any = jwt.api_jws.PyJWS()
    forger._algorithms["HS256"].prepare_key = lambda secret: secret  # PyJWT refuses a PEM as a secret
    confused = forger.encode(b"{}", pem, "HS256", {"kid": kid})
    assert "not signed" in refusal(settings, confused)
    for other in set(ALGORITHMS) - {algorithm}:
        assert "not signed" in refusal(settings, jwt.encode(claims, new_key(other), other, {"kid": kid}))
    assert "not signed" in refusal(settings, jwt.encode(claims, "", "none", {"kid": kid}))
    assert "signature is invalid" in refusal(settings, jwt.encode(claims, new_key(algorithm), algorithm, {"kid": kid}))
    for headers in ({}, {"kid": "unknown"}):
        assert "not in use here" in refusal(settings, jwt.encode(claims, key, algorithm, headers))


def test_secret_publishes_no_key() -> None:
    settings = Settings(jwt_secret_key="x" * 32)  # type: ignore[arg-type]  # pydantic makes a secret of it
    assert signing_keys(settings).jwks == {"keys": []}


def test_unusable_keys_are_named_at_the_start(tmp_path: Path) -> None:
    good, small = new_key("ES256"), rsa.generate_private_key(public_exponent=65537, key_size=1024)
    (tmp_path / "nonsense.pem").write_text("nonsense")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "broken.pem").write_text("nonsense")
    cases = [
        ({"jwt_algorithm": "RS256", "jwt_private_key_file": ""}, "set JWT_PRIVATE_KEY_FILE"),
        ({"jwt_private_key_file": str(tmp_path / "absent.pem")}, "cannot be read"),
        ({"jwt_private_key_file": str(tmp_path / "nonsense.pem")}, "no private key in PEM"),
        ({"jwt_algorithm": "EdDSA"}, "is for ES256, but JWT_ALGORITHM is EdDSA"),
        ({"jwt_public_keys": str(tmp_path / "absent")}, "JWT_PUBLIC_KEYS is no folder"),
        ({"jwt_public_keys": str(tmp_path / "folder")}, "no public key in PEM"),
        ({"jwt_private_key_file": str(write_private(small, tmp_path / "small.pem"))}, "1024 bits"),
        ({"jwt_private_key_file": str(write_private(ec.generate_private_key(ec.SECP384R1()), tmp_path / "384.pem"))},
         "requires P-256"),
    ]  # fmt: skip
    settings = configured(tmp_path, "ES256", good)
    for values, sentence in cases:
        with pytest.raises(InsecureSecretError, match=sentence):
            refuse_insecure_secret(settings.model_copy(update=values))


def test_external_issuer_needs_its_address_and_audience() -> None:
    settings = Settings(jwt_secret_key="x" * 32, oidc_issuer="https://issuer")  # type: ignore[arg-type]  # as above
    with pytest.raises(InsecureSecretError, match="OIDC_JWKS_URL and OIDC_AUDIENCE"):
        refuse_insecure_secret(settings)
