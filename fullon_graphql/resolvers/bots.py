"""Queries about bots."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.roots import one_row, root_connection
from fullon_graphql.schema.bots import Bot


@strawberry.type
class BotQueries:
    bots: Connection[Bot] = root_connection("The bots you may see, by key: your own, or all as administrator.", Bot)

    @strawberry.field(description="The bot with this key; NOT_FOUND where there is none you may see.")
    async def bot(self, info: Info, bot_id: int) -> Bot | None:
        return await one_row(info.context, Bot, bot_id)
