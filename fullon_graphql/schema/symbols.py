"""Instruments."""

from __future__ import annotations

from typing import cast

import strawberry

from fullon_graphql import models
from fullon_graphql.context import Info
from fullon_graphql.engine.columns import column
from fullon_graphql.engine.entities import entity
from fullon_graphql.engine.fields import to_one
from fullon_graphql.engine.relations import relation
from fullon_graphql.engine.roots import one_row
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
from fullon_graphql.schema.cat_exchanges import CatExchange
from fullon_graphql.schema.nodes import Node
from fullon_graphql.schema.references import TickerRef
from fullon_graphql.schema.tickers import load_ticker
from fullon_graphql.services import symbols


@entity(models.Symbol, key=models.Symbol.symbol_id, visible=symbols.visible)
class Symbol(Node):
    """An instrument on one exchange."""

    symbol_id: int = column("Key of the instrument.")
    symbol: str = column("The exchange's spelling: `BTC/USD`, `BTC/USD:BTC`, or without a slash `GOLD`.")
    cat_ex_id: int = column("Key of its exchange.")
    base: str = column("Base currency: volumes are in it.")
    quote: str | None = column("Quote currency: prices are in it; null where the platform does not know.")
    decimals: int = column("Decimal places of prices and volumes.")
    futures: bool = column("True for a derivative.")
    only_ticker: bool = column("True where only tickers are collected, no candles.")
    updateframe: str = column("How often its history is collected, e.g. `1h`.")
    backtest: int = column("Days of history to collect.")

    exchange: CatExchange = to_one(
        "The exchange it is traded on.", relation("CatExchange", "cat_ex_id", models.CatExchange.cat_ex_id)
    )

    @strawberry.field(description="The live ticker; null where none has been seen.")
    async def ticker(self, info: Info) -> TickerRef | None:
        return await load_ticker(info.context, await self._exchange_name(info), self.symbol)

    @strawberry.field(description="Bars in ascending order; empty where no candles are stored.")
    async def candles(
        self,
        info: Info,
        timeframe: Timeframe,
        from_: From = None,
        to: To = None,
        last: LastBars = None,
        fill: Fill = False,
    ) -> list[Candle]:
        window = Window(from_, to, last, fill)
        return cast("list[Candle]", (await self._bars(info, timeframe, window)).rows())

    @strawberry.field(description="The same bars column by column: far fewer bytes, and what charts want.")
    async def candle_columns(
        self,
        info: Info,
        timeframe: Timeframe,
        from_: From = None,
        to: To = None,
        last: LastBars = None,
        fill: Fill = False,
    ) -> CandleColumns:
        window = Window(from_, to, last, fill)
        return cast("CandleColumns", await self._bars(info, timeframe, window))

    async def _bars(self, info: Info, timeframe: Timeframe, window: Window) -> stored.CandleColumns:
        market = Market(await self._exchange_name(info), self.symbol)
        try:
            return await load_candles(info.context, market, timeframe, window)
        except NotFound:  # catalogued, but nothing has been collected
            return stored.CandleColumns.empty()

    async def _exchange_name(self, info: Info) -> str:
        return (await one_row(info.context, CatExchange, self.cat_ex_id)).name
