"""The states of market feeds: the same for every signed-in caller, but the reasons of failures for administrators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from redis.asyncio import Redis

from fullon_graphql.auth.principal import Caller, signed_in
from fullon_graphql.cache import market_feeds
from fullon_graphql.cache.market_feeds import MarketFeedStatus
from fullon_graphql.services.access import TICKERS


async def statuses(redis: Redis, caller: Caller, exchange: str | None = None) -> list[MarketFeedStatus]:
    """The states of all feeds, or of those of one exchange, by exchange and service.

    Raises:
        Unauthenticated, Forbidden: the caller may not read tickers.
    """
    signed_in(caller, TICKERS)
    return shown(await market_feeds.read(redis), caller, exchange)


def shown(found: Sequence[MarketFeedStatus], caller: Caller, exchange: str | None) -> list[MarketFeedStatus]:
    """The states that a caller sees."""
    is_admin = signed_in(caller, TICKERS).is_admin
    chosen = [status for status in found if exchange in (None, status.exchange)]
    return chosen if is_admin else [replace(status, error=None) for status in chosen]
