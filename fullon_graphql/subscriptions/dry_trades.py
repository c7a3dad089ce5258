"""Changes of simulated trades."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.schema.dry_trades import DryTrade, DryTradeEvent
from fullon_graphql.streaming.row_changes import AfterEvent, BotKey, RowChanges, WithSnapshot, row_stream
from fullon_graphql.streaming.sources import Source


def _dry_trades(
    context: Context, bot_id: BotKey = None, after: AfterEvent = None, snapshot: WithSnapshot = False
) -> Source[DryTradeEvent]:
    return RowChanges(context, DryTrade, DryTradeEvent, after, snapshot, bot_id)


@strawberry.type
class DryTradeSubscriptions:
    dry_trades: DryTradeEvent = row_stream("Your simulated trades (administrators: all)", _dry_trades)
