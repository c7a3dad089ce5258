"""Credentials of a client, parsed from HTTP headers or a WebSocket's `connection_init`.

A bearer token takes precedence over an API key. Nothing is verified here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An access token, not verified."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiKeyValue:
    """An API key, not verified."""

    value: str = field(repr=False)


Credential = BearerToken | ApiKeyValue | None


def credential_in_headers(authorization: str | None, api_key: str | None = None) -> Credential:
    """The credential in `Authorization: Bearer <token>` (any case; other schemes are ignored) or `X-API-Key`."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return BearerToken(token.strip())
    return ApiKeyValue(api_key.strip()) if api_key and api_key.strip() else None


def credential_in_fields(fields: Mapping[bytes, bytes]) -> Credential:
    """The credential in the header fields of an ASGI scope."""
    authorization, api_key = fields.get(b"authorization", b""), fields.get(b"x-api-key", b"")
    return credential_in_headers(authorization.decode("latin-1"), api_key.decode("latin-1"))


def credential_in_payload(payload: object) -> Credential:
    """The credential in a `connection_init` payload: `authorization` or `x-api-key` in any case, also under `headers`.

    The prefix `Bearer` is optional: clients send the token with or without it.
    """
    entries = _entries(payload)
    entries = _entries(entries.get("headers")) | entries
    authorization, api_key = entries.get("authorization"), entries.get("x-api-key")
    if isinstance(authorization, str) and authorization.strip() and len(authorization.split()) == 1:
        authorization = f"Bearer {authorization}"
    return credential_in_headers(
        authorization if isinstance(authorization, str) else None, api_key if isinstance(api_key, str) else None
    )


def _entries(payload: object) -> dict[str, object]:
    return {str(name).lower(): value for name, value in payload.items()} if isinstance(payload, dict) else {}
