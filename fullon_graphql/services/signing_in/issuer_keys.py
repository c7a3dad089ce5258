"""The public keys of the external issuer, fetched from its JWKS address and remembered."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from time import monotonic
from typing import Any, Final

import orjson
import structlog

from fullon_graphql.auth.external_tokens import choose_key, parse_keys
from fullon_graphql.auth.signing_keys import VerifyingKey
from fullon_graphql.errors import ServiceUnavailable, Unauthenticated
from fullon_graphql.observability.tracing import outgoing_headers

LIFETIME: Final = 600.0
"""Seconds for which fetched keys are used without a new fetch."""
LONGEST_LIFETIME: Final = 24 * 3600.0
"""Seconds for which fetched keys are used while the issuer does not answer."""
PAUSE: Final = 10.0
"""Least seconds between two fetches, also for tokens with unknown key ids."""
TIMEOUT: Final = 5.0
"""Seconds that a fetch may take."""
MAX_BYTES: Final = 256 * 1024

_log = structlog.get_logger(__name__)


class IssuerKeys:
    """The keys of one issuer. A key that the issuer no longer publishes is forgotten with the next fetch."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._keys: dict[str, VerifyingKey] = {}
        self._fetched = self._tried = -LIFETIME - PAUSE
        self._lock = asyncio.Lock()

    async def find(self, kid: str) -> VerifyingKey:
        """The key with this id.

        A fetch is tried if the keys are old, or if none has this id, but at most every `PAUSE` seconds.

        Raises:
            Unauthenticated: the issuer has no such key.
            ServiceUnavailable: the issuer does not answer, and no keys are known.
        """
        is_fetching = self._lock.locked()
        if (is_fetching or self._is_due(kid)) and not (is_fetching and choose_key(self._keys, kid)):
            async with self._lock:
                if self._is_due(kid):
                    await self._fetch()
        if key := choose_key(self._keys, kid):
            return key
        if not self._keys:
            raise ServiceUnavailable("issuer", "The issuer of this access token does not answer.", retry_after=10)
        raise Unauthenticated("The access token is signed with a key that its issuer does not publish.")

    def _is_due(self, kid: str) -> bool:
        now = monotonic()
        wanted = now - self._fetched > LIFETIME or choose_key(self._keys, kid) is None
        return wanted and now - self._tried > PAUSE

    async def _fetch(self) -> None:
        self._tried = monotonic()
        try:
            async with asyncio.timeout(TIMEOUT * 2):  # the thread has a limit per read, not for all of them
                self._keys = parse_keys(await asyncio.to_thread(_read, self._address))
            self._fetched = monotonic()
        except (OSError, ValueError, TimeoutError) as error:
            _log.warning("issuer_keys_not_fetched", address=self._address, error=repr(error))
            if monotonic() - self._fetched > LONGEST_LIFETIME:
                self._keys = {}


def _read(address: str) -> Any:
    request = urllib.request.Request(address, headers={"accept": "application/json", **outgoing_headers()})  # noqa: S310  # http or https: checked by the settings
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310  # as above
        content: bytes = answer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"the answer has more than {MAX_BYTES} bytes")
    return orjson.loads(content)
