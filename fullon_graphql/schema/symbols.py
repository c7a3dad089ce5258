"""Instruments."""

from __future__ import annotations

from dataclasses import replace

import strawberry
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import aliased

from fullon_graphql import models
from fullon_graphql.engine.fields.connection import Connection, StreamedConnection
from fullon_graphql.engine.fields.relation import connection, to_one
from fullon_graphql.engine.model.batches import batched
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.candles import (
    BARS,
    COLUMNS,
    FREE,
    SERIES_OF_SYMBOL,
    Candle,
    CandleColumns,
    estimated_bars,
)
from fullon_graphql.schema.cat_exchanges import CatExchange, exchange_name
from fullon_graphql.schema.support.inputs import optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import FeedRef, OrderRef, TickerRef
from fullon_graphql.schema.tickers import TICKER_OF_INSTRUMENT

TICKER_OF_SYMBOL = replace(TICKER_OF_INSTRUMENT, local=("exchange_name", "symbol"))


def _step(name: str) -> ColumnElement[float | None]:
    """A limit of the exchange for orders for a symbol."""
    steps = aliased(models.SymbolStep)
    published = select(getattr(steps, name)).where(steps.symbol_id == models.Symbol.symbol_id)
    return published.correlate(models.Symbol).scalar_subquery()


@entity(models.Symbol)
class Symbol(Node):
    """An instrument on one exchange."""

    symbol_id: int = column("Key of the instrument.")
    symbol: str = column("Name in the exchange's spelling: `BTC/USD`, `BTC/USD:BTC` or `GOLD`.")
    cat_ex_id: int = column("Key of the exchange in the catalogue.")
    exchange_name: str = column("Name of the exchange, e.g. `kraken`.", exchange_name(models.Symbol), filterable=True)
    base: str = column("Base currency; the unit of volumes.", filterable=True)
    quote: str | None = column("Quote currency; the unit of prices. Null if unknown.", filterable=True)
    decimals: int = column("Number of decimal places of prices and volumes.")
    futures: bool = column("True for a derivative.", filterable=True)
    only_ticker: bool = column("True if only tickers are collected, but no candles.", filterable=True)
    updateframe: str = column("Interval at which history is collected, e.g. `1h`.")
    backtest: int = column("Number of days of history to collect.")
    price_step: float | None = column(
        "Smallest difference between two prices of orders, in quote currency. Null if unknown.", _step("price_step")
    )
    amount_step: float | None = column(
        "Smallest difference between two volumes of orders, in base currency. Null if unknown.", _step("amount_step")
    )
    min_notional: float | None = column(
        "Smallest value of an order (volume times price), in quote currency. Null if unknown.", _step("min_notional")
    )

    exchange: CatExchange = to_one("The exchange.", relation("CatExchange", "cat_ex_id", models.CatExchange.cat_ex_id))
    orders: StreamedConnection[OrderRef] = connection(
        "Orders for this instrument that you may see, by key.",
        relation("Order", ("symbol", "cat_ex_id"), (models.Order.symbol, models.Order.cat_ex_id)),
    )
    feeds: Connection[FeedRef] = connection(
        "Feeds of this instrument that you may see, by key.",
        relation("Feed", "symbol_id", models.Feed.symbol_id),
    )

    ticker: TickerRef | None = batched("Live ticker; null if there is none.", TICKER_OF_SYMBOL)
    candles: list[Candle] = batched(
        "Bars in ascending order; empty if no candles are stored.",
        SERIES_OF_SYMBOL,
        directives=[BARS, FREE],
        size=estimated_bars,
    )
    candle_columns: CandleColumns = batched(
        "The same bars as columns: a much smaller answer, in the form that charts need.",
        SERIES_OF_SYMBOL,
        directives=[COLUMNS],
        size=estimated_bars,
    )


@strawberry.input(description="A new instrument in the catalogue.")
class CreateSymbolInput:
    cat_ex_id: int = required("Key of the exchange in the catalogue.")
    symbol: str = required("Name in the exchange's spelling, at most 20 characters, unique on the exchange.")
    base: str = required("Base currency, at most 6 characters.")
    updateframe: str | None = optional("Interval at which history is collected, e.g. `1h`.")
    backtest: int | None = optional("Number of days of history to collect.")
    decimals: int | None = optional("Number of decimal places of prices and volumes.")
    quote: str | None = optional("Quote currency, at most 6 characters.")
    futures: bool | None = optional("True for a derivative.")
    only_ticker: bool | None = optional("True if only tickers are to be collected, but no candles.")


@strawberry.input(
    description="Changes of an instrument. An omitted field keeps its value; null clears a field that may be null."
)
class UpdateSymbolInput:
    symbol_id: int = required("Key of the instrument.")
    symbol: str | None = optional("Name in the exchange's spelling.")
    base: str | None = optional("Base currency, at most 6 characters.")
    updateframe: str | None = optional("Interval at which history is collected, e.g. `1h`.")
    backtest: int | None = optional("Number of days of history to collect.")
    decimals: int | None = optional("Number of decimal places of prices and volumes.")
    quote: str | None = optional("Quote currency, at most 6 characters.")
    futures: bool | None = optional("True for a derivative.")
    only_ticker: bool | None = optional("True if only tickers are to be collected, but no candles.")
