"""Queries about candles."""

from __future__ import annotations

from typing import cast

import strawberry

from fullon_graphql.context import Context, Info
from fullon_graphql.engine.cost import SIZE
from fullon_graphql.ohlcv.candles import Series
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import Window
from fullon_graphql.schema.candles import (
    BARS,
    COLUMNS,
    FREE,
    AsOf,
    BarLength,
    Candle,
    CandleColumns,
    CandleCoverage,
    CoveredFrom,
    CoveredTo,
    Fill,
    From,
    LastBars,
    To,
    estimated_bars,
)
from fullon_graphql.schema.support.arguments import ExchangeName, SymbolName
from fullon_graphql.services.candles import MarketData


@strawberry.type
class CandleQueries:
    @strawberry.field(
        description="Bars of one instrument in ascending order; empty if none are stored. NOT_FOUND if neither the"
        " catalogue nor the candle store knows the instrument.",
        metadata={SIZE: estimated_bars},
        directives=[BARS, FREE],
    )
    async def candles(
        self,
        info: Info,
        exchange: ExchangeName,
        symbol: SymbolName,
        timeframe: BarLength,
        from_: From = None,
        to: To = None,
        last: LastBars = None,
        fill: Fill = False,
        as_of: AsOf = None,
    ) -> list[Candle]:
        market, window = Market(exchange, symbol), Window(from_, to, last, bool(fill), as_of=as_of)
        return cast("list[Candle]", await _series(info.context, market, timeframe, window))

    @strawberry.field(
        description="The same bars as columns: a much smaller answer, in the form that charts need.",
        metadata={SIZE: estimated_bars},
        directives=[COLUMNS],
    )
    async def candle_columns(
        self,
        info: Info,
        exchange: ExchangeName,
        symbol: SymbolName,
        timeframe: BarLength,
        from_: From = None,
        to: To = None,
        last: LastBars = None,
        fill: Fill = False,
        as_of: AsOf = None,
    ) -> CandleColumns:
        market, window = Market(exchange, symbol), Window(from_, to, last, bool(fill), as_of=as_of)
        return cast("CandleColumns", await _series(info.context, market, timeframe, window))

    @strawberry.field(
        description="Which one-minute bars of an instrument are stored in a period, and which are missing. NOT_FOUND as"
        " for `candles`. Coarser stored candles do not count."
    )
    async def candle_coverage(
        self, info: Info, exchange: ExchangeName, symbol: SymbolName, from_: CoveredFrom = None, to: CoveredTo = None
    ) -> CandleCoverage:
        found = await _data(info.context).coverage(Market(exchange, symbol), from_, to)
        return CandleCoverage.from_record(found)


def _data(context: Context) -> MarketData:
    return MarketData(context.candles, context.database, context.caller)


async def _series(context: Context, market: Market, timeframe: Timeframe, window: Window) -> Series:
    return Series(market, timeframe, await _data(context).candles(market, timeframe, window), window.as_of)
