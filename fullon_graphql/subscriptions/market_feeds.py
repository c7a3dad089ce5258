"""The states of market feeds: the current ones, then all of them whenever one changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import strawberry

from fullon_graphql.cache.market_feeds import MarketFeedStatus as Record
from fullon_graphql.context import Context
from fullon_graphql.schema.market_feeds import MarketFeedStatus
from fullon_graphql.services.market_feeds import shown
from fullon_graphql.streaming.sources import MaxRate, frame_interval, streamed
from fullon_graphql.streaming.watches import WatchedSource

OneExchange = Annotated[
    str | None, strawberry.argument(description="Only this exchange, e.g. `kraken`. All unless given.")
]


def _feed_status(
    context: Context, exchange: OneExchange = None, max_rate: MaxRate = None
) -> WatchedSource[None, list[Record], list[MarketFeedStatus]]:
    shown([], context.caller, exchange)  # refuses callers who may not read

    async def authorize() -> Callable[[list[Record]], list[MarketFeedStatus]]:
        return lambda found: list(map(MarketFeedStatus.from_record, shown(found, context.caller, exchange)))

    return WatchedSource(context.worker.watches.feeds, None, authorize, frame_interval(max_rate))


@strawberry.type
class MarketFeedSubscriptions:
    feed_status: list[MarketFeedStatus] = streamed(
        "The states of the live data of exchanges: the current ones first, then all of them at each report, which is"
        " every second. Empty while no service that reads market data runs.",
        _feed_status,
    )
