"""The status that bots report: the current one, then each change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import strawberry

from fullon_graphql.cache.bots import FeedStatus
from fullon_graphql.context import Context
from fullon_graphql.engine.fields.root import one_row
from fullon_graphql.schema.bot_status import BotStatus
from fullon_graphql.schema.bots import Bot
from fullon_graphql.streaming.sources import MaxRate, frame_interval, streamed
from fullon_graphql.streaming.watches import WatchedSource

BotId = Annotated[int, strawberry.argument(description="Key of the bot. NOT_FOUND if it is not yours.")]


def _bot_status(
    context: Context, bot_id: BotId, max_rate: MaxRate = None
) -> WatchedSource[int, list[FeedStatus], list[BotStatus]]:
    async def authorize() -> Callable[[list[FeedStatus]], list[BotStatus]]:
        await one_row(context, Bot, bot_id)
        return lambda statuses: list(map(BotStatus.from_record, statuses))

    return WatchedSource(context.worker.watches.bots, bot_id, authorize, frame_interval(max_rate))


@strawberry.type
class BotSubscriptions:
    bot_status: list[BotStatus] = streamed(
        "The status that a bot of yours (administrators: any bot) reports, by feed number: the current one first, then"
        " all of it whenever it changes. Empty while the bot reports nothing.",
        _bot_status,
    )
