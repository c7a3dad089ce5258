"""States of market feeds."""

from __future__ import annotations

import strawberry

from fullon_graphql.cache.market_feeds import FeedState
from fullon_graphql.config import Subgraph
from fullon_graphql.engine.subgraphs import part_of
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.access import TICKERS

described(
    FeedState,
    "State of a market feed.",
    {
        FeedState.CONNECTING: "There has been no data yet.",
        FeedState.LIVE: "Data arrives.",
        FeedState.QUIET: "The connection works, and the exchange has confirmed that there is no newer data.",
        FeedState.DOWN: "The connection has failed, and is made again after a pause.",
    },
)


@part_of(Subgraph.CACHE, TICKERS)
@strawberry.type(description="The live data of one exchange as one background service receives it.")
class MarketFeedStatus(FromRecord):
    exchange: str = strawberry.field(description="Name of the exchange, e.g. `kraken`.")
    service: str = strawberry.field(description="The service that reads it: `ticker` or `ohlcv`.")
    state: FeedState = strawberry.field(description="Current state. A quiet market is not a dead feed.")
    connected_since: DateTime | None = strawberry.field(description="Start of the connection; null without one.")
    last_message_at: DateTime | None = strawberry.field(description="Time of the newest ticker or trade.")
    lag_ms: float | None = strawberry.field(
        description="Milliseconds from the exchange's time of the newest ticker or trade to its arrival. Null if the"
        " exchange sends no time."
    )
    reconnects: int = strawberry.field(description="Number of lost connections since the start of the service.")
    symbols_missing: list[str] = strawberry.field(
        description="Symbols of the catalogue that the exchange does not have or refused, or that have no ticker yet."
    )
    error: str | None = strawberry.field(
        description="Reason of the last failure; null once there is data again, and for callers who are no"
        " administrators."
    )
    reported_at: DateTime = strawberry.field(description="Time of this report. It is renewed every second.")
