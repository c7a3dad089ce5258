"""Log lines of bots."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.bot_logs import BotLog, BotLogEvent
from fullon_graphql.streaming.row_changes import row_stream


@strawberry.type
class BotLogSubscriptions:
    bot_logs: BotLogEvent = row_stream("Log lines of your bots (administrators: of all bots)", BotLog, BotLogEvent)
