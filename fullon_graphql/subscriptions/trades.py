"""Changes of trades. The table has no bot, so the stream cannot be limited to one."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.trades import Trade, TradeEvent
from fullon_graphql.streaming.row_changes import row_stream


@strawberry.type
class TradeSubscriptions:
    trades: TradeEvent = row_stream("Your trades (administrators: all)", Trade, TradeEvent, bots=False)
