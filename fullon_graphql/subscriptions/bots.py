"""What bots say about themselves: now, and whenever they say something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import strawberry

from fullon_graphql.cache.bots import FeedStatus
from fullon_graphql.context import Context
from fullon_graphql.engine.fields.root import one_row
from fullon_graphql.schema.bot_status import BotStatus
from fullon_graphql.schema.bots import Bot
from fullon_graphql.streaming.pace import MaxRate, pause_of
from fullon_graphql.streaming.sources import streamed
from fullon_graphql.streaming.states import States

BotId = Annotated[int, strawberry.argument(description="Key of the bot; NOT_FOUND where it is not yours.")]


def _bot_status(
    context: Context, bot_id: BotId, max_rate: MaxRate = None
) -> States[int, list[FeedStatus], list[BotStatus]]:
    async def allowed() -> Callable[[list[FeedStatus]], list[BotStatus]]:
        await one_row(context, Bot, bot_id)
        return lambda statuses: list(map(BotStatus.from_record, statuses))

    return States(context.worker.watches.bots, bot_id, allowed, pause_of(max_rate))


@strawberry.type
class BotSubscriptions:
    bot_status: list[BotStatus] = streamed(
        "What a bot of yours (administrators: any) says, by feed number, at once and then all of it whenever it says"
        " something else; empty while it says nothing.",
        _bot_status,
    )
