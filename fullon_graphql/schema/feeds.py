"""What strategies listen to."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import Join, relation
from fullon_graphql.schema.support.inputs import needed, optional
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import BotRef, StrategyRef, SymbolRef

_STRATEGY_OF_BOT = Join(models.Strategy, models.Strategy.bot_id == models.Bot.bot_id)


@entity(models.Feed)
class Feed(Node):
    """A stream of bars or ticks into a strategy, e.g. bars of 60 `Minutes`."""

    feed_id: int = column("Key of the feed.")
    str_id: int = column("Key of the strategy that listens.")
    symbol_id: int = column("Key of the instrument.")
    period: str = column("Unit of its bars as the platform stored it: `Ticks`, `Minutes`, `Days` ...", filterable=True)
    compression: int = column("How many units one bar is long.")
    order: int = column("Its number within the strategy, from 0.")

    strategy: StrategyRef = to_one("The strategy that listens.", relation("Strategy", "str_id", models.Strategy.str_id))
    bot: BotRef | None = to_one(
        "The bot of that strategy; null where it belongs to none.",
        relation("Bot", "str_id", models.Strategy.str_id, _STRATEGY_OF_BOT),
    )
    symbol: SymbolRef = to_one("The instrument it follows.", relation("Symbol", "symbol_id", models.Symbol.symbol_id))


@strawberry.input(description="What a strategy is to listen to.")
class CreateFeedInput:
    str_id: int = needed("Key of the strategy.")
    symbol_id: int = needed("Key of the instrument.")
    period: str = needed("Unit of its bars as the platform has it: `Ticks`, `Minutes`, `Days` ...")
    compression: int | None = optional("How many units one bar is long, above 0.", 1)
    order: int | None = optional("Its number within the strategy, from 0.", 0)


@strawberry.input(description="What is to change of a feed. What is left out, or null, stays as it is.")
class UpdateFeedInput:
    feed_id: int = needed("Key of the feed.")
    symbol_id: int | None = optional("Key of the instrument.")
    period: str | None = optional("Unit of its bars.")
    compression: int | None = optional("How many units one bar is long, above 0.")
    order: int | None = optional("Its number within the strategy, from 0.")
