"""Queries about log lines of bots."""

from __future__ import annotations

import strawberry

from fullon_graphql.engine.fields.connection import StreamedConnection
from fullon_graphql.engine.fields.root import root_connection
from fullon_graphql.schema.bot_logs import BotLog


@strawberry.type
class BotLogQueries:
    bot_logs: StreamedConnection[BotLog] = root_connection(
        "Log lines of the bots you may see, by bot and time: your own bots, or all for administrators.", BotLog
    )
