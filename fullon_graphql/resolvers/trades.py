"""Queries and mutations about live trades."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import by_key, one_row, root_connection
from fullon_graphql.schema.support.arguments import WhichTrade
from fullon_graphql.schema.trades import CreateTradeInput, Trade, UpdateTradeInput
from fullon_graphql.services import trades


@strawberry.type
class TradeQueries:
    trades: Connection[Trade] = root_connection(
        "The live trades you may see, by key: your own, or all as administrator.", Trade
    )

    @strawberry.field(
        description="The trade with this key; NOT_FOUND where there is none you may see.", metadata=by_key(Trade)
    )
    async def trade(
        self, info: Info, trade_id: Annotated[int, strawberry.argument(description="Key of the trade.")]
    ) -> Trade | None:
        return await one_row(info.context, Trade, trade_id)


NewTrade = Annotated[CreateTradeInput, strawberry.argument(name="input", description="The trade.")]
TradeChanges = Annotated[
    UpdateTradeInput, strawberry.argument(name="input", description="The trade, and what changes.")
]


@strawberry.type
class TradeMutations:
    @change(
        Trade,
        "Note a trade that an exchange has reported. One that is stored already is answered as it is; CONFLICT where"
        " the two differ.",
    )
    async def create_trade(self, info: Info, trade: NewTrade) -> int:
        return await trades.create(info.context.write, given(trade))

    @change(Trade, "Set what is computed of a trade: its result, its fees, the position after it.")
    async def update_trade(self, info: Info, trade: TradeChanges) -> int:
        return await trades.change(info.context.write, trade.trade_id, given(trade, "trade_id"))

    @change(bool, "Delete a trade. Its order stays.")
    async def delete_trade(self, info: Info, trade_id: WhichTrade) -> bool:
        return await trades.remove(info.context.write, trade_id)
