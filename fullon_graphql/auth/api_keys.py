"""API keys as text: how a new one looks, how it is stored, what its scopes say."""

from __future__ import annotations

import hashlib
import secrets

from fullon_graphql.auth.principal import Scope

MIN_LENGTH = 10
MAX_LENGTH = 128
HASH_MARK = "sha256$"


def generate_key() -> str:
    """A new key: `fgk_` and 32 random bytes in URL-safe base64. Shown once, stored only as `stored_form` of it."""
    return f"fgk_{secrets.token_urlsafe(32)}"


def stored_form(key: str) -> str:
    """What the column `api_keys.key` holds for `key`: `sha256$` and 64 hex digits.

    A plain hash is enough: a key of 32 random bytes cannot be guessed, however fast one may try.
    """
    return HASH_MARK + hashlib.sha256(key.encode()).hexdigest()


def is_presentable(key: str) -> bool:
    """Whether `key` can be a key at all. A stored hash is none: who has read the table gets in nowhere with it."""
    return (
        MIN_LENGTH <= len(key) <= MAX_LENGTH
        and key.isascii()
        and key.isprintable()
        and not key.lower().startswith(HASH_MARK)
    )


def parse_scopes(column: str | None) -> frozenset[Scope]:
    """The scopes in a comma-separated column, e.g. `read,write`; unknown words are ignored.

    Each word grants itself only (`write` does not include `read`). The platform stores scopes but never enforced
    them, so keys without any exist: they may read.
    """
    words = {word.strip().lower() for word in (column or "").split(",")} - {""}
    return frozenset(scope for scope in Scope if scope in words) if words else frozenset({Scope.READ})
