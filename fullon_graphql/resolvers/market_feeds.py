"""Queries about market feeds."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.schema.market_feeds import MarketFeedStatus
from fullon_graphql.services import market_feeds

OneExchange = Annotated[
    str | None, strawberry.argument(description="Only this exchange, e.g. `kraken`. All unless given.")
]


@strawberry.type
class MarketFeedQueries:
    @strawberry.field(
        description="The states of the live data of exchanges, by exchange and service. Empty while no service that"
        " reads market data runs."
    )
    async def feed_status(self, info: Info, exchange: OneExchange = None) -> list[MarketFeedStatus]:
        found = await market_feeds.statuses(info.context.worker.redis, info.context.caller, exchange)
        return [MarketFeedStatus.from_record(status) for status in found]
