"""Queries and mutations about instruments."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import ONE, root_connection
from fullon_graphql.engine.reference.loaders import load_one
from fullon_graphql.errors import NotFound
from fullon_graphql.schema.support.arguments import ExchangeName, SymbolName, WhichSymbol
from fullon_graphql.schema.symbols import CreateSymbolInput, Symbol, UpdateSymbolInput
from fullon_graphql.schema.tickers import INSTRUMENT
from fullon_graphql.services import symbols


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


NewSymbol = Annotated[CreateSymbolInput, strawberry.argument(name="input", description="The instrument.")]
SymbolChanges = Annotated[
    UpdateSymbolInput, strawberry.argument(name="input", description="The instrument, and what changes.")
]


@strawberry.type
class SymbolMutations:
    @change(Symbol, "Add an instrument to the catalogue. Administrators only.")
    async def create_symbol(self, info: Info, symbol: NewSymbol) -> int:
        return await symbols.create(info.context.write, given(symbol))

    @change(Symbol, "Change an instrument of the catalogue. Administrators only.")
    async def update_symbol(self, info: Info, symbol: SymbolChanges) -> int:
        return await symbols.change(info.context.write, symbol.symbol_id, given(symbol, "symbol_id"))

    @change(bool, "Delete an instrument, with the feeds that follow it. Administrators only.")
    async def delete_symbol(self, info: Info, symbol_id: WhichSymbol) -> bool:
        return await symbols.remove(info.context.write, symbol_id)
