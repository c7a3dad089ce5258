"""Queries and mutations about instruments."""

from __future__ import annotations

from typing import Annotated, cast

import strawberry

from fullon_graphql.auth.principal import reader
from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.relation import find_one
from fullon_graphql.engine.fields.root import ONE, root_connection
from fullon_graphql.schema.support.arguments import ExchangeName, SymbolName, WhichSymbol
from fullon_graphql.schema.symbols import CreateSymbolInput, Symbol, UpdateSymbolInput
from fullon_graphql.schema.tickers import INSTRUMENT
from fullon_graphql.services import symbols
from fullon_graphql.services.writing.executor import UnitOfWork


@strawberry.type
class SymbolQueries:
    symbols: Connection[Symbol] = root_connection("The instruments of all exchanges in the catalogue, by key.", Symbol)

    @strawberry.field(
        description="The instrument with this name on this exchange; null if the catalogue has none.",
        metadata={ONE: INSTRUMENT},
    )
    async def symbol(self, info: Info, exchange: ExchangeName, symbol: SymbolName) -> Symbol | None:
        reader(info.context.caller)
        return cast("Symbol | None", await find_one(info, INSTRUMENT, (exchange, symbol)))


NewSymbol = Annotated[CreateSymbolInput, strawberry.argument(name="input", description="The instrument.")]
SymbolChanges = Annotated[
    UpdateSymbolInput, strawberry.argument(name="input", description="The instrument and its changes.")
]


@strawberry.type
class SymbolMutations:
    @change(Symbol, "Add an instrument to the catalogue. Administrators only.")
    async def create_symbol(self, write: UnitOfWork, symbol: NewSymbol) -> int:
        return await symbols.create(write, given(symbol))

    @change(Symbol, "Change an instrument of the catalogue. Administrators only.")
    async def update_symbol(self, write: UnitOfWork, symbol: SymbolChanges) -> int:
        return await symbols.change(write, symbol.symbol_id, given(symbol, "symbol_id"))

    @change(bool, "Delete an instrument with its feeds. Administrators only.")
    async def delete_symbol(self, write: UnitOfWork, symbol_id: WhichSymbol) -> bool:
        return await symbols.remove(write, symbol_id)
