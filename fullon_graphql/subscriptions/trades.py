"""Changes of trades. The table has no bot, so the stream cannot be limited to one."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.schema.trades import Trade, TradeEvent
from fullon_graphql.streaming.row_changes import AfterEvent, RowChanges, WithSnapshot, row_stream
from fullon_graphql.streaming.sources import Source


def _trades(context: Context, after: AfterEvent = None, snapshot: WithSnapshot = False) -> Source[TradeEvent]:
    return RowChanges(context, Trade, TradeEvent, after, snapshot)


@strawberry.type
class TradeSubscriptions:
    trades: TradeEvent = row_stream("Your trades (administrators: all)", _trades)
