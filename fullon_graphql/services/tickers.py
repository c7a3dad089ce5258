"""Live tickers: the same for every signed-in caller."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from fullon_graphql.auth.principal import Caller, signed_in
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.services.access import TICKERS


async def of_exchange(
    redis: Redis, caller: Caller, exchange: str, symbols: Sequence[str] | None = None
) -> list[Ticker]:
    """The tickers of one exchange in one round trip: those of `symbols` in that order, or all, by symbol."""
    signed_in(caller, TICKERS)
    return await tickers.read(redis, exchange, symbols)


async def of_exchanges(redis: Redis, caller: Caller, exchanges: Sequence[str]) -> list[list[Ticker]]:
    """All tickers of each exchange, by symbol, in one round trip."""
    signed_in(caller, TICKERS)
    return await tickers.read_exchanges(redis, exchanges)


async def of_instruments(redis: Redis, caller: Caller, instruments: Sequence[tuple[str, str]]) -> list[Ticker | None]:
    """The ticker of each (exchange, symbol) in one round trip, None if there is none."""
    signed_in(caller, TICKERS)
    return await tickers.read_many(redis, instruments)
