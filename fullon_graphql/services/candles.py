"""Candles and trades of instruments: market data, the same for every signed-in caller."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from fullon_graphql.auth.principal import Caller, signed_in
from fullon_graphql.database import Database
from fullon_graphql.errors import FullonError, NotFound
from fullon_graphql.models import Symbol
from fullon_graphql.ohlcv.candles import CandleColumns, Series
from fullon_graphql.ohlcv.combining import Buckets
from fullon_graphql.ohlcv.coverage import Coverage
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import CandleStore
from fullon_graphql.ohlcv.stored import Extent, PricedTrade, Trade
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.trade_figures import Stretch, TradeFigures
from fullon_graphql.ohlcv.window import Window
from fullon_graphql.services import symbols
from fullon_graphql.services.access import CANDLES
from fullon_graphql.services.sources import Sources
from fullon_graphql.services.writing.checks import has_only_storable

T = TypeVar("T")


async def of_markets(
    store: CandleStore, caller: Caller, markets: Sequence[Market], timeframe: Timeframe, window: Window
) -> list[CandleColumns | FullonError]:
    """The bars of each market, oldest first, in one statement; an error for each market without a result.

    Raises:
        Unauthenticated: the caller is not signed in.
    """
    signed_in(caller, CANDLES)
    return await store.candles(markets, timeframe, window)


async def series_of_instruments(
    sources: Sources, keys: Sequence[tuple[str, str]], timeframe: Timeframe, window: Window
) -> list[Series | FullonError]:
    """The bars of each (exchange, symbol), in one statement; empty for an instrument without stored candles."""
    markets = [Market(exchange, symbol) for exchange, symbol in keys]
    found = await of_markets(sources.candles, sources.caller, markets, timeframe, window)
    return [
        bars
        if isinstance(bars, FullonError) and not isinstance(bars, NotFound)
        else _series(market, timeframe, bars, window.as_of)
        for market, bars in zip(markets, found, strict=True)
    ]


def _series(market: Market, timeframe: Timeframe, bars: CandleColumns | NotFound, as_of: datetime | None) -> Series:
    return Series(market, timeframe, CandleColumns.empty() if isinstance(bars, NotFound) else bars, as_of)


async def figures_of_bars(
    sources: Sources, keys: Sequence[tuple[Market, Timeframe, datetime, datetime | None]]
) -> list[TradeFigures | None]:
    """Figures of the stored trades of each bar, in one statement; None without stored trades.

    A key has the market, the timeframe and the time of a bar, and the time at which it was known.
    """
    signed_in(sources.caller, CANDLES)
    times: dict[tuple[Market, Timeframe, datetime | None], list[datetime]] = {}
    for market, timeframe, time, as_of in keys:
        times.setdefault((market, timeframe, as_of), []).append(time)
    stretches = [
        Stretch(market, timeframe, min(found), max(found), as_of) for (market, timeframe, as_of), found in times.items()
    ]
    figures = dict(zip(times, await sources.candles.trade_figures(stretches), strict=True))
    buckets = {timeframe: Buckets(timeframe) for _, timeframe, _ in times}
    return [
        figures[market, timeframe, as_of].get(buckets[timeframe].start(time.timestamp() * 1000))
        for market, timeframe, time, as_of in keys
    ]


async def figures_of_series(sources: Sources, keys: Sequence[tuple[Series]]) -> list[list[TradeFigures | None]]:
    """The same for all bars of each series."""
    signed_in(sources.caller, CANDLES)
    filled = [series for (series,) in keys if series.length]
    stretches = [
        Stretch(one.market, one.timeframe, _instant(one.time[0]), _instant(one.time[-1]), one.as_of) for one in filled
    ]
    figures = dict(zip(filled, await sources.candles.trade_figures(stretches), strict=True)) if filled else {}
    return [
        list(map(figures[series].get, map(Buckets(series.timeframe).start, series.time))) if series.length else []
        for (series,) in keys
    ]


def _instant(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


class MarketData:
    """Stored market data of single instruments; empty for an instrument that is catalogued but not collected yet.

    Each method raises:
        Unauthenticated: the caller is not signed in.
        NotFound: the instrument is neither in the catalogue nor in the candle store.
    """

    def __init__(self, store: CandleStore, database: Database, caller: Caller) -> None:
        signed_in(caller, CANDLES)
        self._store = store
        self._database = database
        self._caller = caller

    async def candles(self, market: Market, timeframe: Timeframe, window: Window) -> CandleColumns:
        """The bars of `window`, oldest first."""
        [bars] = await self._store.candles([market], timeframe, window)
        if isinstance(bars, NotFound):
            await self._require_catalogued(market, bars)
            return CandleColumns.empty()
        if isinstance(bars, FullonError):
            raise bars
        return bars

    async def complete_until(self, market: Market, timeframe: Timeframe) -> datetime | None:
        """The time until which the sources of bars of `timeframe` are complete; None if nothing is stored."""
        return await self._store.complete_until(market, timeframe)

    async def newest_trades(self, market: Market, limit: int) -> list[Trade]:
        """The newest `limit` trades, oldest first."""
        return await self._or_empty(market, self._store.newest_trades(market, limit))

    async def trades(self, market: Market, start: datetime, end: datetime, limit: int) -> list[Trade]:
        """The first `limit` trades in [start, end], oldest first."""
        return await self._or_empty(market, self._store.trades(market, start, end, limit))

    async def trades_page(
        self, market: Market, start: datetime, end: datetime, limit: int, skip: int
    ) -> list[PricedTrade]:
        """The first `limit` trades in [start, end) after `skip` others, oldest first."""
        return await self._or_empty(market, self._store.trades_page(market, start, end, limit, skip))

    async def extents(self, market: Market) -> list[Extent]:
        """The period of each source, the best source first."""
        return await self._or_empty(market, self._store.extents(market))

    async def coverage(self, market: Market, start: datetime | None, end: datetime | None) -> Coverage:
        """Which minutes of [start, end) are stored and which are missing."""
        try:
            return await self._store.coverage(market, start, end)
        except NotFound as unknown:
            await self._require_catalogued(market, unknown)
            return self._store.nothing_stored(start, end)

    async def stored(self, markets: Sequence[Market]) -> set[Market]:
        """The `markets` with stored data."""
        return await self._store.stored(markets)

    async def _or_empty(self, market: Market, stored: Awaitable[list[T]]) -> list[T]:
        try:
            return await stored
        except NotFound as unknown:
            await self._require_catalogued(market, unknown)
            return []

    async def _require_catalogued(self, market: Market, unknown: NotFound) -> None:
        if not has_only_storable(market.exchange + market.symbol):
            raise unknown
        row = symbols.on_exchange(self._caller, market.exchange).where(Symbol.symbol == market.symbol)
        if await self._database.row(row) is None:
            raise unknown
