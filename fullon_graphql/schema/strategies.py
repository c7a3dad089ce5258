"""Strategies at work in bots."""

from __future__ import annotations

import strawberry
from sqlalchemy import func

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_many, to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.inputs import ParamInput, needed, optional
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import BotRef, CatStrategyRef, FeedRef, StrategyParamRef


@entity(models.Strategy)
class Strategy(Node):
    """A template at work in a bot, with settings of its own."""

    str_id: int = column("Key of the strategy.")
    bot_id: int | None = column("Key of the bot it works in; null for one that belongs to none.")
    cat_str_id: int = column("Key of the template it was made from.")
    take_profit: float | None = column("Profit at which it closes a position, in per cent.")
    stop_loss: float | None = column("Loss at which it closes a position, in per cent.")
    trailing_stop: float | None = column("Fall from the best price at which it closes a position, in per cent.")
    timeout: float | None = column("Age at which it closes a position, in seconds.")
    leverage: float = column("Leverage of its positions; 1 for none.")
    size_pct: float | None = column("Size of a position in per cent of the account.")
    size: float | None = column("Size of a position in `sizeCurrency`, where it is fixed.")
    size_currency: str | None = column("Currency of `size`, e.g. `USD`.")
    pre_load_bars: int | None = column("How many past bars it reads before it begins.")
    feed_count: int | None = column("How many feeds it needs.", models.Strategy.feeds)
    pairs: bool = column(
        "True where it trades two instruments against each other.", func.coalesce(models.Strategy.pairs, False)
    )

    bot: BotRef | None = to_one(
        "The bot it works in; null for a strategy that belongs to none.", relation("Bot", "bot_id", models.Bot.bot_id)
    )
    catalog: CatStrategyRef = to_one(
        "The template it was made from.", relation("CatStrategy", "cat_str_id", models.CatStrategy.cat_str_id)
    )
    params: list[StrategyParamRef] = to_many(
        "Its parameters, by name.", relation("StrategyParam", "str_id", models.StrategyParam.str_id)
    )
    feeds: list[FeedRef] = to_many("What it listens to, by key.", relation("Feed", "str_id", models.Feed.str_id))


@strawberry.input(description="A template to be put to work. What is left out, or null, is as in the template.")
class CreateStrategyInput:
    bot_id: int = needed("Key of the bot it is to work in.")
    cat_str_id: int = needed("Key of the template.")
    take_profit: float | None = optional("Profit at which a position is closed, in per cent.")
    stop_loss: float | None = optional("Loss at which a position is closed, in per cent.")
    trailing_stop: float | None = optional("Fall from the best price at which a position is closed, in per cent.")
    timeout: float | None = optional("Age at which a position is closed, in seconds.")
    leverage: float | None = optional("Leverage of its positions, above 0; 1 for none.")
    size_pct: float | None = optional("Size of a position in per cent of the account, above 0.")
    size: float | None = optional("Size of a position in `sizeCurrency`, above 0.")
    size_currency: str | None = optional("Currency of `size`, at most 5 characters.")
    pre_load_bars: int | None = optional("How many past bars are read before it begins.")
    feeds: int | None = optional("How many feeds it needs.", name="feedCount")
    pairs: bool | None = optional("True where two instruments are traded against each other.")
    params: list[ParamInput] | None = optional(
        "Parameters with other values than in the template, or besides its own.", None
    )


@strawberry.input(
    description="What is to change of a strategy. What is left out stays; null empties what may be empty."
)
class UpdateStrategyInput:
    str_id: int = needed("Key of the strategy.")
    take_profit: float | None = optional("Profit at which a position is closed, in per cent.")
    stop_loss: float | None = optional("Loss at which a position is closed, in per cent.")
    trailing_stop: float | None = optional("Fall from the best price at which a position is closed, in per cent.")
    timeout: float | None = optional("Age at which a position is closed, in seconds.")
    leverage: float | None = optional("Leverage of its positions, above 0; 1 for none.")
    size_pct: float | None = optional("Size of a position in per cent of the account, above 0.")
    size: float | None = optional("Size of a position in `sizeCurrency`, above 0.")
    size_currency: str | None = optional("Currency of `size`, at most 5 characters.")
    pre_load_bars: int | None = optional("How many past bars are read before it begins.")
    feeds: int | None = optional("How many feeds it needs.", name="feedCount")
    pairs: bool | None = optional("True where two instruments are traded against each other.")
