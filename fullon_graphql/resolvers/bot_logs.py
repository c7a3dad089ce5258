"""Queries about what bots write."""

from __future__ import annotations

import strawberry

from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.root import root_connection
from fullon_graphql.schema.bot_logs import BotLog


@strawberry.type
class BotLogQueries:
    bot_logs: Connection[BotLog] = root_connection(
        "What the bots you may see have written, by bot and time: your own bots, or all as administrator.", BotLog
    )
