"""Queries about live tickers."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.cost import SIZE, length_of, list_size
from fullon_graphql.schema.support.arguments import ExchangeName, SymbolName, SymbolNames
from fullon_graphql.schema.tickers import Ticker
from fullon_graphql.services import tickers


@strawberry.type
class TickerQueries:
    @strawberry.field(description="The live ticker of one instrument; null if there is none.")
    async def ticker(self, info: Info, exchange: ExchangeName, symbol: SymbolName) -> Ticker | None:
        context = info.context
        [found] = await context.tickers.of_instruments(context.caller, [(exchange, symbol)])
        return Ticker.from_record(found) if found else None

    @strawberry.field(
        description="Live tickers of one exchange: those of `symbols` in the given order, or all by symbol. Instruments"
        " without a ticker are left out.",
        metadata={SIZE: length_of("symbols", 100)},
        directives=[list_size(100)],
    )
    async def tickers(self, info: Info, exchange: ExchangeName, symbols: SymbolNames = None) -> list[Ticker]:
        context = info.context
        found = await tickers.of_exchange(context.worker.redis, context.caller, exchange, symbols)
        return [Ticker.from_record(ticker) for ticker in found]
