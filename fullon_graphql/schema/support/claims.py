"""Instruments that bots keep to themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry

from fullon_graphql import models
from fullon_graphql.cache import bots
from fullon_graphql.context import Context
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.references import BotRef, ExchangeRef, SymbolRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.tickers import INSTRUMENT_OF_ACCOUNT


@strawberry.type(description="A bot keeps an instrument of an exchange account to itself.")
class Claim:
    ex_id: int = strawberry.field(description="Key of the exchange account.")
    symbol: str = strawberry.field(description="Instrument in the exchange's spelling.")
    bot_id: int = strawberry.field(description="Key of the bot.")
    since: DateTime | None = strawberry.field(description="Since when, where the bot has noted it.")

    bot: BotRef | None = to_one("The bot; null where you may not see it.", relation("Bot", "bot_id", models.Bot.bot_id))
    account: ExchangeRef | None = to_one(
        "The exchange account; null where you may not see it.", relation("Exchange", "ex_id", models.Exchange.ex_id)
    )
    instrument: SymbolRef | None = to_one(
        "The catalogued instrument; null where the catalogue has none.", INSTRUMENT_OF_ACCOUNT
    )

    @classmethod
    def of(cls, claim: bots.Claim) -> Claim:
        """The GraphQL object of a cached claim."""
        since = DateTime(claim.since) if claim.since else None
        return cls(ex_id=claim.ex_id, symbol=claim.symbol, bot_id=claim.bot_id, since=since)


def _batch(kind: str, local: str) -> Batch:
    """The claims of one kind (`blocks` or `openings`) whose `local` is the parent's."""

    async def load(context: Context, keys: list[tuple[int]]) -> list[list[Claim]]:
        claims: Sequence[Any] = getattr(await bots.read_claims(context.worker.redis), kind)
        return [[Claim.of(claim) for claim in claims if getattr(claim, local) == key] for (key,) in keys]

    return Batch((local,), load)


BLOCKS_OF_ACCOUNT = _batch("blocks", "ex_id")
OPENINGS_OF_ACCOUNT = _batch("openings", "ex_id")
BLOCKS_OF_BOT = _batch("blocks", "bot_id")
OPENINGS_OF_BOT = _batch("openings", "bot_id")
