"""Live status of bots."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON

from fullon_graphql import models
from fullon_graphql.config import Subgraph
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.engine.subgraphs import part_of
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import live
from fullon_graphql.services.access import read_scope


@part_of(Subgraph.CACHE, read_scope(models.Bot))
@strawberry.type(description="The latest status that a running bot has published for one of its feeds.")
class BotStatus(FromRecord):
    bot_id: int = strawberry.field(description="Key of the bot.")
    feed_num: int | None = strawberry.field(description="Number of the feed within the bot's strategy, from 0.")
    status: str | None = strawberry.field(description="Status text, as the bot writes it.")
    symbol: str | None = strawberry.field(description="Instrument in the exchange's spelling.")
    period: str | None = strawberry.field(description="Unit of the feed's bars, as the bot writes it.")
    performance: float | None = strawberry.field(description="The bot's result so far, in the bot's own unit.")
    timestamp: DateTime | None = strawberry.field(description="Time of this status.")
    data: JSON = strawberry.field(description="The complete published status; it can have more entries than this type.")


STATUS_OF_BOT = Batch(("bot_id",), live.statuses_of_bots, build=BotStatus.from_record)
