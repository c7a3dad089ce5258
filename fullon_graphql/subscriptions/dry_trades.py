"""Changes of simulated trades."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.dry_trades import DryTrade, DryTradeEvent
from fullon_graphql.streaming.row_changes import row_stream


@strawberry.type
class DryTradeSubscriptions:
    dry_trades: DryTradeEvent = row_stream("Your simulated trades (administrators: all)", DryTrade, DryTradeEvent)
