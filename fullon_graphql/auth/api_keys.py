"""API keys as text: form, stored form, scopes."""

from __future__ import annotations

import hashlib
import re
import secrets

from fullon_graphql.auth.principal import Scope

MIN_LENGTH = 10
MAX_LENGTH = 128
HASH_MARK = "sha256$"

_SCOPE = re.compile(r"read|write|admin|[a-z_]+:(read|write|control)")


def generate_key() -> str:
    """A new key: `fgk_` and 32 random bytes in URL-safe base64. Shown once, stored as its `stored_form`."""
    return f"fgk_{secrets.token_urlsafe(32)}"


def stored_form(key: str) -> str:
    """The value of the column `api_keys.key` for `key`: `sha256$` and 64 hex digits.

    A plain hash is enough: a key of 32 random bytes cannot be guessed.
    """
    return HASH_MARK + hashlib.sha256(key.encode()).hexdigest()


def is_presentable(key: str) -> bool:
    """True if `key` has the form of a key. A stored hash is refused, so that reading the table gives no access."""
    return (
        MIN_LENGTH <= len(key) <= MAX_LENGTH
        and key.isascii()
        and key.isprintable()
        and not key.lower().startswith(HASH_MARK)
    )


def parse_scopes(column: str | None) -> frozenset[str]:
    """The scopes in a comma-separated column, e.g. `read,orders:write`; other words are ignored.

    Each word grants itself only (`write` does not include `read`). The platform stores scopes but never enforced
    them, so keys without scopes exist: they may read.
    """
    words = {word.strip().lower() for word in (column or "").split(",")} - {""}
    return frozenset(filter(_SCOPE.fullmatch, words)) if words else frozenset({Scope.READ})
