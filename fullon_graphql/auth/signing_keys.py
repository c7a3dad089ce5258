"""The keys that sign and verify our access tokens.

With HS256, HS384 or HS512 it is one secret. With RS256, ES256 or EdDSA one private key signs, and its public key and
all public keys of a folder verify, so that a new key ends no session. A key is found by its id, the RFC 7638 thumbprint
of the public key, and each key has exactly one algorithm, so a token cannot choose one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import jwt.algorithms
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from fullon_graphql.config import Settings

PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

SECRET_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
"""The least size of the secret of an algorithm: that of the hash (RFC 7518, section 3.2)."""

_RSA_BITS: Final = 2048
_MAX_KEY_BYTES: Final = 64 * 1024


class InvalidKeyError(RuntimeError):
    """A key file cannot be used; the message names the file and the setting."""


@dataclass(frozen=True)
class VerifyingKey:
    """A key that verifies tokens, and its only algorithm."""

    algorithm: str
    key: Any
    """A secret, or a public key."""


@dataclass(frozen=True)
class SigningKeys:
    """All keys of an installation."""

    algorithm: str
    signing_key: Any
    key_id: str | None
    """The id of the signing key; None for a secret."""
    verifying: Mapping[str | None, VerifyingKey]
    """By key id."""
    jwks: Mapping[str, Any]
    """The public keys as a JSON Web Key Set."""


def signing_keys(settings: Settings) -> SigningKeys:
    """The keys that the settings name; read once per process.

    Raises:
        InvalidKeyError: a key is missing, cannot be read, or is too short or of another type than JWT_ALGORITHM.
    """
    if settings.jwt_algorithm in SECRET_BYTES:
        secret = settings.jwt_secret_key.get_secret_value()
        known: Mapping[str | None, VerifyingKey] = {None: VerifyingKey(settings.jwt_algorithm, secret)}
        return SigningKeys(settings.jwt_algorithm, secret, None, known, {"keys": []})
    return _from_files(settings.jwt_algorithm, settings.jwt_private_key_file, settings.jwt_public_keys)


@lru_cache(maxsize=4)
def _from_files(algorithm: str, private_file: str, folder: str) -> SigningKeys:
    if not private_file:
        raise InvalidKeyError(f"JWT_ALGORITHM {algorithm} needs a private key: set JWT_PRIVATE_KEY_FILE to a PEM file.")
    private = _private_key(Path(private_file))
    if _algorithm(private.public_key()) != algorithm:
        found = _algorithm(private.public_key())
        raise InvalidKeyError(f"The key in JWT_PRIVATE_KEY_FILE is for {found}, but JWT_ALGORITHM is {algorithm}.")
    files = sorted(Path(folder).glob("*.pem")) if folder else []
    if folder and not Path(folder).is_dir():
        raise InvalidKeyError(f"JWT_PUBLIC_KEYS is no folder: {folder}")
    public = [private.public_key(), *map(_public_key, files)]
    by_id = {key_id(key): key for key in public}
    verifying: dict[str | None, VerifyingKey] = {
        name: VerifyingKey(_algorithm(key), key) for name, key in by_id.items()
    }
    keys = [_jwk(key) | {"kid": name, "use": "sig", "alg": _algorithm(key)} for name, key in by_id.items()]
    return SigningKeys(algorithm, private, key_id(private.public_key()), verifying, {"keys": keys})


def key_id(key: PublicKey) -> str:
    """The RFC 7638 thumbprint of a public key, in base64url."""
    members = {name: value for name, value in _jwk(key).items() if name in {"crv", "e", "kty", "n", "x", "y"}}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _jwk(key: PublicKey) -> dict[str, Any]:
    match key:
        case RSAPublicKey():
            jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True)
        case EllipticCurvePublicKey():
            jwk = jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True)
        case _:
            jwk = jwt.algorithms.OKPAlgorithm.to_jwk(key, as_dict=True)
    return {name: value for name, value in jwk.items() if name != "key_ops"}


def _algorithm(key: PublicKey) -> str:
    match key:
        case RSAPublicKey():
            return "RS256"
        case EllipticCurvePublicKey():
            return "ES256"
        case _:
            return "EdDSA"


def _private_key(path: Path) -> PrivateKey:
    try:
        key = load_pem_private_key(_content(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKeyError(f"{path} has no private key in PEM without a password.") from None
    if not isinstance(key, (RSAPrivateKey, EllipticCurvePrivateKey, Ed25519PrivateKey)):
        raise InvalidKeyError(f"{path} has a key of a type that signs no tokens; use RSA, P-256 or Ed25519.")
    _check(path, key.public_key())
    return key


def _public_key(path: Path) -> PublicKey:
    try:
        key = load_pem_public_key(_content(path))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKeyError(f"{path} has no public key in PEM.") from None
    if not isinstance(key, (RSAPublicKey, EllipticCurvePublicKey, Ed25519PublicKey)):
        raise InvalidKeyError(f"{path} has a key of a type that verifies no tokens; use RSA, P-256 or Ed25519.")
    _check(path, key)
    return key


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_KEY_BYTES)
    except OSError as error:
        raise InvalidKeyError(f"{path} cannot be read: {error.strerror}.") from None


def _check(path: Path, key: PublicKey) -> None:
    if isinstance(key, RSAPublicKey) and key.key_size < _RSA_BITS:
        raise InvalidKeyError(f"The RSA key in {path} has {key.key_size} bits; at least {_RSA_BITS} are required.")
    if isinstance(key, EllipticCurvePublicKey) and not isinstance(key.curve, SECP256R1):
        raise InvalidKeyError(f"The key in {path} is on the curve {key.curve.name}; ES256 requires P-256.")
