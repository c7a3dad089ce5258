"""Queries and mutations about simulated trades."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.connection import StreamedConnection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.dry_trades import CreateDryTradeInput, DryTrade
from fullon_graphql.services import dry_trades
from fullon_graphql.services.writing.executor import UnitOfWork


@strawberry.type
class DryTradeQueries:
    dry_trades: StreamedConnection[DryTrade] = root_connection(
        "The simulated trades you may see, by key: your own, or all for administrators.", DryTrade
    )

    dry_trade: DryTrade | None = root_row(
        "The simulated trade with this key; null if there is none you may see.", DryTrade
    )


NewDryTrade = Annotated[CreateDryTradeInput, strawberry.argument(name="input", description="The trade.")]


@strawberry.type
class DryTradeMutations:
    @change(DryTrade, "Store a trade that a bot has simulated.")
    async def create_dry_trade(self, write: UnitOfWork, trade: NewDryTrade) -> int:
        return await dry_trades.create(write, given(trade))
