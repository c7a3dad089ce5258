"""Candles: market data, the same for everybody who is signed in."""

from __future__ import annotations

from collections.abc import Sequence

from fullon_graphql.auth.principal import Caller, signed_in
from fullon_graphql.errors import FullonError
from fullon_graphql.ohlcv.candles import CandleColumns
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import CandleStore, Window
from fullon_graphql.ohlcv.timeframes import Timeframe


async def of_markets(
    store: CandleStore, caller: Caller, markets: Sequence[Market], timeframe: Timeframe, window: Window
) -> list[CandleColumns | FullonError]:
    """The bars of each market, oldest first, in one statement; an error in the place of one that has no answer.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    signed_in(caller)
    return await store.candles_many(markets, timeframe, window)
