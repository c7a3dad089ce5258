"""Authentication: from a credential to the caller."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from fullon_graphql.auth.credentials import ApiKeyValue, BearerToken, Credential
from fullon_graphql.auth.principal import Anonymous, Caller, Principal
from fullon_graphql.errors import Unauthenticated
from fullon_graphql.joined_calls import KeyedCalls
from fullon_graphql.lru import LRUCache
from fullon_graphql.services.api_keys import ApiKeys
from fullon_graphql.services.signing_in.sessions import Sessions

CACHE_SECONDS: Final = 0.9
"""Seconds for which a valid credential is not looked up again. A revoked credential is refused within a second."""

_PRINCIPAL_BYTES: Final = 1_200


class Authenticator:
    """Finds the caller of a credential, with at most about two look-ups per second and credential.

    Requests whose credential is looked up at this moment share the next look-up.
    """

    def __init__(self, sessions: Sessions, api_keys: ApiKeys, cache_bytes: int = 2 * 2**20) -> None:
        self._sessions = sessions
        self._api_keys = api_keys
        self.cache: LRUCache[bytes, tuple[float, Principal]] = LRUCache(cache_bytes)
        self._look_ups = KeyedCalls(self._look_up)

    async def identify(self, credential: Credential, *, fresh: bool = False) -> Caller:
        """The caller of `credential`, or `Anonymous` with the reason if it is invalid. `fresh` bypasses the cache.

        An invalid credential does not raise, because public fields stay readable. A store that does not answer does.
        """
        if credential is None:
            return Anonymous()
        digest = hashlib.sha256(f"{type(credential).__name__} {credential.value}".encode()).digest()
        cached = self.cache.get(digest)
        if cached and not fresh and monotonic() < cached[0] and not _expired(cached[1]):
            return cached[1]
        try:
            principal = await self._look_ups(credential)
        except Unauthenticated as refusal:
            return Anonymous(refusal.message)
        self.cache.put(digest, (monotonic() + CACHE_SECONDS, principal), _PRINCIPAL_BYTES + len(principal.mail))
        return principal

    async def _look_up(self, credential: BearerToken | ApiKeyValue) -> Principal:
        match credential:
            case BearerToken(token):
                return await self._sessions.identify_token(token)
            case ApiKeyValue(key):
                return await self._api_keys.identify_api_key(key)


def _expired(principal: Principal) -> bool:
    return principal.expires_at is not None and principal.expires_at <= datetime.now(UTC)
