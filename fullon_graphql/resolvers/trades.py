"""Queries and mutations about live trades."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.connection import StreamedConnection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.support.arguments import WhichTrade
from fullon_graphql.schema.trades import CreateTradeInput, Trade, UpdateTradeInput
from fullon_graphql.services import trades
from fullon_graphql.services.writing.executor import UnitOfWork


@strawberry.type
class TradeQueries:
    trades: StreamedConnection[Trade] = root_connection(
        "The live trades you may see, by key: your own, or all for administrators.", Trade
    )

    trade: Trade | None = root_row("The trade with this key; null if there is none you may see.", Trade)


NewTrade = Annotated[CreateTradeInput, strawberry.argument(name="input", description="The trade.")]
TradeChanges = Annotated[UpdateTradeInput, strawberry.argument(name="input", description="The trade and its changes.")]


@strawberry.type
class TradeMutations:
    @change(
        Trade,
        "Store a trade reported by an exchange. If it is already stored, the stored trade is returned, or CONFLICT if"
        " the two differ.",
    )
    async def create_trade(self, write: UnitOfWork, trade: NewTrade) -> int:
        return await trades.create(write, given(trade))

    @change(Trade, "Set the computed values of a trade: result, fees and the position after it.")
    async def update_trade(self, write: UnitOfWork, trade: TradeChanges) -> int:
        return await trades.change(write, trade.trade_id, given(trade, "trade_id"))

    @change(bool, "Delete a trade. Its order is kept.")
    async def delete_trade(self, write: UnitOfWork, trade_id: WhichTrade) -> bool:
        return await trades.remove(write, trade_id)
