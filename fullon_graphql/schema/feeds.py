"""What strategies listen to."""

from __future__ import annotations

from fullon_graphql import models
from fullon_graphql.engine.columns import column
from fullon_graphql.engine.entities import entity
from fullon_graphql.engine.fields import to_one
from fullon_graphql.engine.relations import Join, relation
from fullon_graphql.schema.nodes import Node
from fullon_graphql.schema.references import BotRef, StrategyRef, SymbolRef
from fullon_graphql.services import feeds

_STRATEGY_OF_BOT = Join(models.Strategy, models.Strategy.bot_id == models.Bot.bot_id)


@entity(models.Feed, key=models.Feed.feed_id, visible=feeds.visible)
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
