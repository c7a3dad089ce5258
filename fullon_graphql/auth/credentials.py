"""What a client presents, as a value: read from HTTP headers or from a WebSocket's `connection_init`.

The bearer token comes first; an API key counts only where no token came. Nothing is verified here.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An access token, not yet looked at."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiKeyValue:
    """An API key, not yet looked up."""

    value: str = field(repr=False)


Credential = BearerToken | ApiKeyValue | None


def credential_in_headers(authorization: str | None, api_key: str | None = None) -> Credential:
    """From the headers `Authorization: Bearer <token>` (any case; other schemes are not ours) and `X-API-Key`."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return BearerToken(token.strip())
    return ApiKeyValue(api_key.strip()) if api_key and api_key.strip() else None


def credential_in_payload(payload: object) -> Credential:
    """From a `connection_init` payload: `authorization` or `x-api-key` in any case, there or under `headers`.

    Gateways and hand-written clients send the token with `Bearer` or without; both are understood.
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
