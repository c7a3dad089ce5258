"""The catalogue of exchanges."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.context import Info
from fullon_graphql.engine.columns import column
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.entities import entity
from fullon_graphql.engine.fields import connection
from fullon_graphql.engine.relations import relation
from fullon_graphql.schema.nodes import Node
from fullon_graphql.schema.references import SymbolRef, TickerRef
from fullon_graphql.schema.tickers import load_exchange_tickers
from fullon_graphql.services import cat_exchanges


@entity(models.CatExchange, key=models.CatExchange.cat_ex_id, visible=cat_exchanges.visible)
class CatExchange(Node):
    """An exchange the platform can trade on."""

    cat_ex_id: int = column("Key of the exchange.")
    name: str = column("Lower-case name, e.g. `kraken`: what other fields call `exchange`.")

    symbols: Connection[SymbolRef] = connection(
        "The instruments traded there, by key.", relation("Symbol", "cat_ex_id", models.Symbol.cat_ex_id)
    )

    @strawberry.field(description="Live tickers of all its instruments, by symbol.")
    async def tickers(self, info: Info) -> list[TickerRef]:
        return await load_exchange_tickers(info.context, self.name)
