from __future__ import annotations

import hashlib
import hmac

import pytest
from pydantic import SecretStr

from fullon_graphql.config import Settings
from fullon_graphql.services.webhooks.signing import UnreadableSecretError, decrypt, encrypt, new_secret, sign


def test_secret_is_encrypted_for_its_owner(settings: Settings) -> None:
    secret = new_secret()
    stored = encrypt(settings, 2, secret)
    assert secret.encode() not in stored
    assert stored != encrypt(settings, 2, secret)
    assert decrypt(settings, 2, stored) == secret
    with pytest.raises(UnreadableSecretError):
        decrypt(settings, 3, stored)


def test_secret_is_unreadable_with_another_key(settings: Settings) -> None:
    stored = encrypt(settings, 2, new_secret())
    other = settings.model_copy(update={"jwt_secret_key": SecretStr("another secret of the tests, long enough")})
    with pytest.raises(UnreadableSecretError):
        decrypt(other, 2, stored)


def test_signature_covers_the_time_and_the_body() -> None:
    expected = hmac.new(b"whsec_x", b'1700000000.{"id":"1"}', hashlib.sha256).hexdigest()
    assert sign("whsec_x", 1_700_000_000, b'{"id":"1"}') == f"t=1700000000,v1={expected}"
