"""Log lines of bots."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.schema.bot_logs import BotLog, BotLogEvent
from fullon_graphql.streaming.row_changes import AfterEvent, BotKey, RowChanges, WithSnapshot, row_stream
from fullon_graphql.streaming.sources import Source


def _bot_logs(
    context: Context, bot_id: BotKey = None, after: AfterEvent = None, snapshot: WithSnapshot = False
) -> Source[BotLogEvent]:
    return RowChanges(context, BotLog, BotLogEvent, after, snapshot, bot_id)


@strawberry.type
class BotLogSubscriptions:
    bot_logs: BotLogEvent = row_stream("Log lines of your bots (administrators: of all bots)", _bot_logs)
