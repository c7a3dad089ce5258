"""Queries about candles."""

from __future__ import annotations

from typing import cast

import strawberry

from fullon_graphql.context import Context, Info
from fullon_graphql.engine.loaders import load_one
from fullon_graphql.errors import NotFound
from fullon_graphql.ohlcv import candles as stored
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import Window
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.schema.candles import (
    Candle,
    CandleColumns,
    Fill,
    From,
    LastBars,
    To,
    load_candles,
)
from fullon_graphql.schema.tickers import INSTRUMENT


@strawberry.type
class CandleQueries:
    @strawberry.field(
        description="Bars of one instrument in ascending order; empty where none are stored, NOT_FOUND where neither"
        " the catalogue nor the candle store knows it."
    )
    async def candles(
        self,
        info: Info,
        exchange: str,
        symbol: str,
        timeframe: Timeframe,
        from_: From = None,
        to: To = None,
        last: LastBars = None,
        fill: Fill = False,
    ) -> list[Candle]:
        market, window = Market(exchange, symbol), Window(from_, to, last, fill)
        return cast("list[Candle]", (await _bars(info.context, market, timeframe, window)).rows())

    @strawberry.field(description="The same bars column by column: far fewer bytes, and what charts want.")
    async def candle_columns(
        self,
        info: Info,
        exchange: str,
        symbol: str,
        timeframe: Timeframe,
        from_: From = None,
        to: To = None,
        last: LastBars = None,
        fill: Fill = False,
    ) -> CandleColumns:
        market, window = Market(exchange, symbol), Window(from_, to, last, fill)
        return cast("CandleColumns", await _bars(info.context, market, timeframe, window))


async def _bars(
    context: Context, market: Market, timeframe: Timeframe, window: Window
) -> stored.CandleColumns:
    try:
        return await load_candles(context, market, timeframe, window)
    except NotFound:
        if await load_one(context, INSTRUMENT, (market.exchange, market.symbol)) is None:
            raise
        return stored.CandleColumns.empty()
