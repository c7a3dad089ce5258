"""Authentication: from a credential to the caller."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from fullon_graphql.auth.credentials import ApiKeyValue, BearerToken, Credential, credential_in_fields
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
    """Finds the caller of a credential, for requests with at most about two look-ups per second and credential.

    Requests whose credential is looked up at this moment share the next look-up.
    """

    def __init__(self, sessions: Sessions, api_keys: ApiKeys, cache_bytes: int = 2 * 2**20) -> None:
        self._sessions = sessions
        self._api_keys = api_keys
        self.cache: LRUCache[bytes, tuple[float, Principal]] = LRUCache(cache_bytes)
        """The callers of valid credentials, and until when each is known (time of `monotonic`)."""
        self._look_ups = KeyedCalls(self._look_up)

    def known(self, fields: Mapping[bytes, bytes]) -> Principal | None:
        """The caller of a request with these header fields; None if the credential has to be looked up."""
        found = self.cache.get(_digest(fields))
        return found[1] if found and monotonic() < found[0] else None

    async def identify_request(self, fields: Mapping[bytes, bytes]) -> Caller:
        """The caller of a request with these header fields, as `identify` finds it or as it is `known`."""
        if known := self.known(fields):
            return known
        caller = await self.identify(credential_in_fields(fields))
        if isinstance(caller, Principal):
            known_until = monotonic() + min(CACHE_SECONDS, _seconds_left(caller))
            self.cache.put(_digest(fields), (known_until, caller), _PRINCIPAL_BYTES + len(caller.mail))
        return caller

    async def identify(self, credential: Credential) -> Caller:
        """The caller of `credential`, or `Anonymous` with the reason if it is invalid. It is looked up in any case.

        An invalid credential does not raise, because public fields stay readable. A store that does not answer does.
        """
        if credential is None:
            return Anonymous()
        try:
            return await self._look_ups(credential)
        except Unauthenticated as refusal:
            return Anonymous(refusal.message)

    async def _look_up(self, credential: BearerToken | ApiKeyValue) -> Principal:
        match credential:
            case BearerToken(token):
                return await self._sessions.identify_token(token)
            case ApiKeyValue(key):
                return await self._api_keys.identify_api_key(key)


def _digest(fields: Mapping[bytes, bytes]) -> bytes:
    """Identifies the credential in header fields; the cache keeps no secret. No field has a line break."""
    return hashlib.sha256(fields.get(b"authorization", b"") + b"\n" + fields.get(b"x-api-key", b"")).digest()


def _seconds_left(principal: Principal) -> float:
    """The seconds until the credential expires."""
    return (principal.expires_at - datetime.now(UTC)).total_seconds() if principal.expires_at else CACHE_SECONDS
