"""From what a client presents to who it is: the one question every face asks first."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from fullon_graphql.auth.credentials import ApiKeyValue, BearerToken, Credential
from fullon_graphql.auth.principal import Anonymous, Caller, Principal
from fullon_graphql.errors import Unauthenticated
from fullon_graphql.lru import LRUCache
from fullon_graphql.services.api_keys import ApiKeys
from fullon_graphql.services.signing_in.sessions import Sessions

REMEMBERED_FOR: Final = 0.9
"""Seconds for which a credential that was good stays so unasked. What is revoked is refused within a second."""


class Authenticator:
    """Who is behind a credential. A busy client's is looked up about once a second, not with every request."""

    def __init__(self, sessions: Sessions, api_keys: ApiKeys, size: int = 10_000) -> None:
        self._sessions = sessions
        self._api_keys = api_keys
        self._seen: LRUCache[bytes, tuple[float, Principal]] = LRUCache(size)

    async def identify(self, credential: Credential, *, anew: bool = False) -> Caller:
        """The caller behind `credential`; `Anonymous` with the reason where it is no good. `anew` remembers nothing.

        What needs nobody in particular stays open to such a caller. A store that does not answer raises: it is no
        reason to call somebody a stranger.
        """
        if credential is None:
            return Anonymous()
        name = hashlib.sha256(f"{type(credential).__name__} {credential.value}".encode()).digest()
        seen = self._seen.get(name)
        if seen and not anew and monotonic() < seen[0] and not _expired(seen[1]):
            return seen[1]
        try:
            principal = await self._look_up(credential)
        except Unauthenticated as refusal:
            return Anonymous(refusal.message)
        self._seen.put(name, (monotonic() + REMEMBERED_FOR, principal))
        return principal

    async def _look_up(self, credential: BearerToken | ApiKeyValue) -> Principal:
        match credential:
            case BearerToken(token):
                return await self._sessions.identify_token(token)
            case ApiKeyValue(key):
                return await self._api_keys.identify_api_key(key)


def _expired(principal: Principal) -> bool:
    return principal.expires_at is not None and principal.expires_at <= datetime.now(UTC)
