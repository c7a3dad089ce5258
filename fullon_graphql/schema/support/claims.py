"""Instruments that a bot has reserved on an exchange account."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.config import Subgraph
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.engine.subgraphs import part_of
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.references import BotRef, ExchangeRef, SymbolRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.tickers import INSTRUMENT_OF_ACCOUNT
from fullon_graphql.services import live


@part_of(Subgraph.CACHE)
@strawberry.type(description="An instrument of an exchange account that a bot has reserved.")
class Claim(FromRecord):
    ex_id: int = strawberry.field(description="Key of the exchange account.")
    symbol: str = strawberry.field(description="Instrument in the exchange's spelling.")
    bot_id: int = strawberry.field(description="Key of the bot.")
    since: DateTime | None = strawberry.field(description="Time of the reservation; null if the bot has not stored it.")

    bot: BotRef | None = to_one("The bot; null if you may not see it.", relation("Bot", "bot_id", models.Bot.bot_id))
    account: ExchangeRef | None = to_one(
        "The exchange account; null if you may not see it.", relation("Exchange", "ex_id", models.Exchange.ex_id)
    )
    instrument: SymbolRef | None = to_one(
        "The instrument in the catalogue; null if it is not catalogued.", INSTRUMENT_OF_ACCOUNT
    )


BLOCKS_OF_ACCOUNT = Batch(("ex_id",), live.blocks_of_accounts, build=Claim.from_record)
OPENINGS_OF_ACCOUNT = Batch(("ex_id",), live.openings_of_accounts, build=Claim.from_record)
BLOCKS_OF_BOT = Batch(("bot_id",), live.blocks_of_bots, build=Claim.from_record)
OPENINGS_OF_BOT = Batch(("bot_id",), live.openings_of_bots, build=Claim.from_record)
