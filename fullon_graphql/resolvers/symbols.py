"""Queries about instruments."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.loaders import load_one
from fullon_graphql.engine.roots import ONE, root_connection
from fullon_graphql.errors import NotFound
from fullon_graphql.schema.arguments import ExchangeName, SymbolName
from fullon_graphql.schema.symbols import Symbol
from fullon_graphql.schema.tickers import INSTRUMENT


@strawberry.type
class SymbolQueries:
    symbols: Connection[Symbol] = root_connection("The catalogued instruments of all exchanges, by key.", Symbol)

    @strawberry.field(
        description="The instrument of this name on this exchange; NOT_FOUND where there is none.",
        metadata={ONE: INSTRUMENT},
    )
    async def symbol(self, info: Info, exchange: ExchangeName, symbol: SymbolName) -> Symbol | None:
        found: Symbol | None = await load_one(info.context, INSTRUMENT, (exchange, symbol))
        if found is None:
            raise NotFound(f"No symbol {symbol!r} on exchange {exchange!r}.")
        return found
