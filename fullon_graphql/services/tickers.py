"""Live tickers: the same for every signed-in caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from redis.asyncio import Redis

from fullon_graphql.auth.principal import Caller, signed_in
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.joined_calls import KeyedCalls
from fullon_graphql.services.access import TICKERS

Instruments: TypeAlias = tuple[tuple[str, str], ...]
"""The exchange and the symbol of each."""


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


class SharedTickers:
    """Tickers of instruments for all requests of a worker: equal reads that wait at the same time share a round trip.

    No ticker is older than its request.
    """

    def __init__(self, redis: Redis) -> None:
        async def read(instruments: Instruments) -> list[Ticker | None]:
            return await tickers.read_many(redis, instruments)

        self._read = KeyedCalls(read)

    async def of_instruments(self, caller: Caller, instruments: Sequence[tuple[str, str]]) -> list[Ticker | None]:
        """The ticker of each (exchange, symbol) in one round trip, None if there is none."""
        signed_in(caller, TICKERS)
        return [*await self._read(tuple(instruments))]
