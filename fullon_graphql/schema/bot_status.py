"""What bots say about themselves while they run."""

from __future__ import annotations

from typing import Any, cast

import strawberry
from strawberry.scalars import JSON

from fullon_graphql.cache import bots
from fullon_graphql.context import Context
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.schema.support.scalars import DateTime


@strawberry.type(description="What a running bot last said about one of its feeds.")
class BotStatus:
    bot_id: int = strawberry.field(description="Key of the bot.")
    feed_num: int | None = strawberry.field(description="Number of the feed within the bot's strategy, from 0.")
    status: str | None = strawberry.field(description="What the bot is doing, in its own words.")
    symbol: str | None = strawberry.field(description="Instrument in the exchange's spelling.")
    period: str | None = strawberry.field(description="Unit of the feed's bars, in the bot's words.")
    performance: float | None = strawberry.field(description="How the bot rates its result so far, in its own unit.")
    timestamp: DateTime | None = strawberry.field(description="When it said so.")
    data: JSON = strawberry.field(description="All that it said: bots may say more than the fields above.")

    @classmethod
    def of(cls, status: bots.FeedStatus) -> BotStatus:
        """The GraphQL object of a cached status."""
        return cls(
            bot_id=status.bot_id,
            feed_num=status.feed_num,
            status=status.status,
            symbol=status.symbol,
            period=status.period,
            performance=status.performance,
            timestamp=DateTime(status.timestamp) if status.timestamp else None,
            data=cast("Any", status.data),
        )


async def _of_bots(context: Context, keys: list[tuple[int]]) -> list[list[BotStatus]]:
    found = await bots.read_statuses(context.worker.redis, [bot_id for (bot_id,) in keys])
    return [[BotStatus.of(status) for status in statuses] for statuses in found]


STATUS_OF_BOT = Batch(("bot_id",), _of_bots)
"""What a bot says, by feed number."""
