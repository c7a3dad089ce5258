"""Instruments."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import strawberry

from fullon_graphql import models
from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.relation import connection, to_one
from fullon_graphql.engine.model.batches import BATCH, batched
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.candles import (
    CANDLES_OF_SYMBOL,
    COLUMNS_OF_SYMBOL,
    BarLength,
    Candle,
    CandleColumns,
    Fill,
    From,
    LastBars,
    To,
)
from fullon_graphql.schema.cat_exchanges import CatExchange, exchange_name
from fullon_graphql.schema.support.inputs import needed, optional
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import FeedRef, OrderRef, TickerRef
from fullon_graphql.schema.tickers import TICKER_OF_INSTRUMENT

TICKER_OF_SYMBOL = replace(TICKER_OF_INSTRUMENT, local=("exchange_name", "symbol"))


@entity(models.Symbol)
class Symbol(Node):
    """An instrument on one exchange."""

    symbol_id: int = column("Key of the instrument.")
    symbol: str = column("The exchange's spelling: `BTC/USD`, `BTC/USD:BTC`, or without a slash `GOLD`.")
    cat_ex_id: int = column("Key of its exchange.")
    exchange_name: str = column("Name of its exchange, e.g. `kraken`.", exchange_name(models.Symbol), filterable=True)
    base: str = column("Base currency: volumes are in it.", filterable=True)
    quote: str | None = column(
        "Quote currency: prices are in it; null where the platform does not know.", filterable=True
    )
    decimals: int = column("Decimal places of prices and volumes.")
    futures: bool = column("True for a derivative.", filterable=True)
    only_ticker: bool = column("True where only tickers are collected, no candles.", filterable=True)
    updateframe: str = column("How often its history is collected, e.g. `1h`.")
    backtest: int = column("Days of history to collect.")

    exchange: CatExchange = to_one(
        "The exchange it is traded on.", relation("CatExchange", "cat_ex_id", models.CatExchange.cat_ex_id)
    )
    orders: Connection[OrderRef] = connection(
        "Orders for it that you may see, by key.",
        relation("Order", ("symbol", "cat_ex_id"), (models.Order.symbol, models.Order.cat_ex_id)),
    )
    feeds: Connection[FeedRef] = connection(
        "Feeds of it that you may see, by key.", relation("Feed", "symbol_id", models.Feed.symbol_id)
    )

    ticker: TickerRef | None = batched("The live ticker; null where none has been seen.", TICKER_OF_SYMBOL)

    @strawberry.field(
        description="Bars in ascending order; empty where no candles are stored.",
        metadata={BATCH: CANDLES_OF_SYMBOL},
    )
    async def candles(
        self,
        info: Info,
        timeframe: BarLength,
        from_: From = None,
        to: To = None,
        last: LastBars = None,
        fill: Fill = False,
    ) -> list[Candle]:
        return cast(
            "list[Candle]",
            await CANDLES_OF_SYMBOL.of(
                info.context, self, timeframe=timeframe, from_=from_, to=to, last=last, fill=fill
            ),
        )

    @strawberry.field(
        description="The same bars column by column: far fewer bytes, and what charts want.",
        metadata={BATCH: COLUMNS_OF_SYMBOL},
    )
    async def candle_columns(
        self,
        info: Info,
        timeframe: BarLength,
        from_: From = None,
        to: To = None,
        last: LastBars = None,
        fill: Fill = False,
    ) -> CandleColumns:
        return cast(
            "CandleColumns",
            await COLUMNS_OF_SYMBOL.of(
                info.context, self, timeframe=timeframe, from_=from_, to=to, last=last, fill=fill
            ),
        )


@strawberry.input(description="An instrument for the catalogue.")
class CreateSymbolInput:
    cat_ex_id: int = needed("Key of the exchange it is traded on.")
    symbol: str = needed("Its name in the exchange's spelling, at most 20 characters, unique on the exchange.")
    base: str = needed("Base currency, at most 6 characters.")
    updateframe: str | None = optional("How often its candles are brought up to date, e.g. `1h`.")
    backtest: int | None = optional("Days of history to collect.")
    decimals: int | None = optional("Digits after the point in prices and volumes.")
    quote: str | None = optional("Quote currency, at most 6 characters.")
    futures: bool | None = optional("True for a derivative.")
    only_ticker: bool | None = optional("True where only tickers are collected, no candles.")


@strawberry.input(
    description="What is to change of an instrument. What is left out stays; null empties what may be empty."
)
class UpdateSymbolInput:
    symbol_id: int = needed("Key of the instrument.")
    symbol: str | None = optional("Its name in the exchange's spelling.")
    base: str | None = optional("Base currency, at most 6 characters.")
    updateframe: str | None = optional("How often its candles are brought up to date, e.g. `1h`.")
    backtest: int | None = optional("Days of history to collect.")
    decimals: int | None = optional("Digits after the point in prices and volumes.")
    quote: str | None = optional("Quote currency, at most 6 characters.")
    futures: bool | None = optional("True for a derivative.")
    only_ticker: bool | None = optional("True where only tickers are collected, no candles.")
