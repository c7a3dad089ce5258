"""Feeds of strategies."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import Join, relation
from fullon_graphql.schema.support.inputs import optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import BotRef, StrategyRef, SymbolRef

_STRATEGY_OF_BOT = Join(models.Strategy, models.Strategy.bot_id == models.Bot.bot_id)


@entity(models.Feed)
class Feed(Node):
    """Market data that a strategy receives: bars or ticks of one instrument, e.g. bars of 60 `Minutes`."""

    feed_id: int = column("Key of the feed.")
    str_id: int = column("Key of the strategy.")
    symbol_id: int = column("Key of the instrument.")
    period: str = column("Unit of the bars as stored: `Ticks`, `Minutes`, `Days` ...", filterable=True)
    compression: int = column("Number of units per bar.")
    order: int = column("Number of the feed within the strategy, from 0.")

    strategy: StrategyRef = to_one("The strategy.", relation("Strategy", "str_id", models.Strategy.str_id))
    bot: BotRef | None = to_one(
        "The bot of the strategy; null if the strategy has no bot.",
        relation("Bot", "str_id", models.Strategy.str_id, _STRATEGY_OF_BOT),
    )
    symbol: SymbolRef = to_one("The instrument.", relation("Symbol", "symbol_id", models.Symbol.symbol_id))


@strawberry.input(description="A new feed of a strategy.")
class CreateFeedInput:
    str_id: int = required("Key of the strategy.")
    symbol_id: int = required("Key of the instrument.")
    period: str = required("Unit of the bars: `Ticks`, `Minutes`, `Days` ...")
    compression: int | None = optional("Number of units per bar, above 0.", 1)
    order: int | None = optional("Number of the feed within the strategy, from 0.", 0)


@strawberry.input(description="Changes of a feed. A field that is omitted or null keeps its value.")
class UpdateFeedInput:
    feed_id: int = required("Key of the feed.")
    symbol_id: int | None = optional("Key of the instrument.")
    period: str | None = optional("Unit of the bars: `Ticks`, `Minutes`, `Days` ...")
    compression: int | None = optional("Number of units per bar, above 0.")
    order: int | None = optional("Number of the feed within the strategy, from 0.")
