"""Queries about live tickers."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.schema.tickers import Ticker, load_exchange_tickers, load_ticker


@strawberry.type
class TickerQueries:
    @strawberry.field(description="The live ticker of one instrument; null where none has been seen.")
    async def ticker(self, info: Info, exchange: str, symbol: str) -> Ticker | None:
        return await load_ticker(info.context, exchange, symbol)

    @strawberry.field(
        description="Live tickers of one exchange: those of `symbols` in that order, or all, by symbol. An instrument"
        " without a ticker is left out."
    )
    async def tickers(self, info: Info, exchange: str, symbols: list[str] | None = None) -> list[Ticker]:
        return await load_exchange_tickers(info.context, exchange, symbols)
