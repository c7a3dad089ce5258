"""Queries about live tickers."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.schema.support.arguments import ExchangeName, SymbolName, SymbolNames
from fullon_graphql.schema.tickers import Ticker
from fullon_graphql.services import tickers


@strawberry.type
class TickerQueries:
    @strawberry.field(description="The live ticker of one instrument; null where none has been seen.")
    async def ticker(self, info: Info, exchange: ExchangeName, symbol: SymbolName) -> Ticker | None:
        context = info.context
        [found] = await tickers.of_instruments(context.worker.redis, context.caller, [(exchange, symbol)])
        return Ticker.of(found) if found else None

    @strawberry.field(
        description="Live tickers of one exchange: those of `symbols` in that order, or all, by symbol. An instrument"
        " without a ticker is left out."
    )
    async def tickers(self, info: Info, exchange: ExchangeName, symbols: SymbolNames = None) -> list[Ticker]:
        context = info.context
        found = await tickers.of_exchange(context.worker.redis, context.caller, exchange, symbols)
        return [Ticker.of(ticker) for ticker in found]
