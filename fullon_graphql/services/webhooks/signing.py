"""Secrets and signatures of webhooks.

A secret signs requests, so it is stored itself and not as a hash: encrypted with a key derived from JWT_SECRET_KEY.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fullon_graphql.config import Settings

PREFIX: Final = "whsec_"
"""By it a secret is recognised, for example by scanners of repositories."""
_NONCE_BYTES: Final = 12


class UnreadableSecretError(Exception):
    """The stored secret cannot be decrypted: JWT_SECRET_KEY has changed since it was stored."""


def new_secret() -> str:
    """A new secret with 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def encrypt(settings: Settings, uid: int, secret: str) -> bytes:
    """The form in which the secret of a webhook of `uid` is stored."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _cipher(settings).encrypt(nonce, secret.encode(), str(uid).encode())


def decrypt(settings: Settings, uid: int, stored: bytes) -> str:
    """The secret of a stored form.

    Raises:
        UnreadableSecretError: it was encrypted with another key, or for another user.
    """
    nonce, content = stored[:_NONCE_BYTES], stored[_NONCE_BYTES:]
    try:
        return _cipher(settings).decrypt(nonce, content, str(uid).encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise UnreadableSecretError from error


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The value of the header `Fullon-Signature`; `timestamp` in Unix seconds."""
    signed = f"{timestamp}.".encode() + body
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def _cipher(settings: Settings) -> AESGCM:
    master = settings.jwt_secret_key.get_secret_value().encode()
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=b"fullon_graphql webhook secrets").derive(master))
