"""Queries about bots."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.roots import by_key, one_row, root_connection
from fullon_graphql.schema.bots import Bot


@strawberry.type
class BotQueries:
    bots: Connection[Bot] = root_connection("The bots you may see, by key: your own, or all as administrator.", Bot)

    @strawberry.field(
        description="The bot with this key; NOT_FOUND where there is none you may see.", metadata=by_key(Bot)
    )
    async def bot(
        self, info: Info, bot_id: Annotated[int, strawberry.argument(description="Key of the bot.")]
    ) -> Bot | None:
        return await one_row(info.context, Bot, bot_id)
