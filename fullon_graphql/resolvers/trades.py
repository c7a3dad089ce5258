"""Queries about live trades."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.roots import by_key, one_row, root_connection
from fullon_graphql.schema.trades import Trade


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
