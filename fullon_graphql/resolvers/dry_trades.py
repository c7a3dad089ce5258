"""Queries and mutations about simulated trades."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import by_key, one_row, root_connection
from fullon_graphql.schema.dry_trades import CreateDryTradeInput, DryTrade
from fullon_graphql.services import dry_trades


@strawberry.type
class DryTradeQueries:
    dry_trades: Connection[DryTrade] = root_connection(
        "The simulated trades you may see, by key: your own, or all as administrator.", DryTrade
    )

    @strawberry.field(
        description="The simulated trade with this key; NOT_FOUND where there is none you may see.",
        metadata=by_key(DryTrade),
    )
    async def dry_trade(
        self, info: Info, trade_id: Annotated[int, strawberry.argument(description="Key of the simulated trade.")]
    ) -> DryTrade | None:
        return await one_row(info.context, DryTrade, trade_id)


NewDryTrade = Annotated[CreateDryTradeInput, strawberry.argument(name="input", description="The trade.")]


@strawberry.type
class DryTradeMutations:
    @change(DryTrade, "Note a trade that a bot only simulated.")
    async def create_dry_trade(self, info: Info, trade: NewDryTrade) -> int:
        return await dry_trades.create(info.context.write, given(trade))
