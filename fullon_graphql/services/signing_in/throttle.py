"""Throttling of failed sign-ins, per account and per address.

The counts are moving windows in Redis, shared by all workers. Sign-in is refused while Redis does not answer: stalling
Redis must not give an attacker unlimited attempts, and an attacker could fill a bounded count per process. Access
tokens, refresh tokens and API keys keep working.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.exceptions
import structlog
from limits import RateLimitItem, parse
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.counters import counters
from fullon_graphql.errors import RateLimited, ServiceUnavailable
from fullon_graphql.observability.metrics import count_limit

ADDRESS_FACTOR = 10
"""Limit of an address as a multiple of an account's limit: many accounts may share one address."""

_log = structlog.get_logger(__name__)


class Throttle:
    """Counts failed sign-ins. `limit` has the form `5 per minute`."""

    def __init__(self, client: Redis, limit: str) -> None:
        self._per_account = parse(limit)
        self._per_address = type(self._per_account)(
            self._per_account.amount * ADDRESS_FACTOR, self._per_account.multiples
        )
        self._windows = MovingWindowRateLimiter(counters(client, keys.FAILED_LOGINS))

    async def check(self, mail: str, address: str | None) -> None:
        """Return if account and address are below the limit.

        Raises:
            RateLimited: with the seconds until the oldest failure expires.
            ServiceUnavailable: Redis does not answer.
        """
        async with _redis_needed():
            for item, subject in self._counted(mail, address):
                window = await self._windows.get_window_stats(item, subject)
                if window.remaining <= 0:
                    count_limit("LOGIN_LIMIT")
                    raise _too_many(window.reset_time)

    async def count_failure(self, mail: str, address: str | None) -> None:
        """Count one failure for the account, existing or not, and for the address.

        Raises:
            ServiceUnavailable: Redis does not answer.
        """
        async with _redis_needed():
            for item, subject in self._counted(mail, address):
                await self._windows.hit(item, subject)

    async def forget_failures(self, mail: str) -> None:
        """Clear the account's count after a success. The address keeps its count, which covers other accounts.

        Raises:
            ServiceUnavailable: Redis does not answer.
        """
        async with _redis_needed():
            await self._windows.clear(self._per_account, _account(mail))

    def _counted(self, mail: str, address: str | None) -> list[tuple[RateLimitItem, str]]:
        counted = [(self._per_account, _account(mail))]
        return [*counted, (self._per_address, address_key(address))] if address else counted


@asynccontextmanager
async def _redis_needed() -> AsyncIterator[None]:
    try:
        yield
    except redis.exceptions.RedisError as error:
        _log.warning("sign_in_refused_without_redis", error=type(error).__name__)
        raise ServiceUnavailable("redis", "Sign-in is not possible at the moment; try again shortly.") from error


def _too_many(reset_time: float) -> RateLimited:
    seconds = max(1, math.ceil(reset_time - time.time()))
    return RateLimited(f"Too many failed sign-ins; try again in {seconds} seconds.", retry_after=seconds)


def _account(mail: str) -> str:
    """Hashed: a password typed into the wrong field must not appear in a key."""
    return "account:" + hashlib.sha256(mail.encode(errors="surrogatepass")).hexdigest()


def address_key(address: str) -> str:
    """A name for an address without personal text; one /64 network of IPv6 counts as one address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a Unix socket or a host name
        return f"address:{hashlib.sha256(address.encode(errors='surrogatepass')).hexdigest()}"
    if isinstance(parsed, ipaddress.IPv6Address):
        return f"address:{parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False).network_address}"
    return f"address:{parsed}"
