"""Strategies of bots, with their parameters."""

from __future__ import annotations

import strawberry
from sqlalchemy import func

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_many, to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.inputs import ParamInput, optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import BotRef, CatStrategyRef, FeedRef, StrategyParamRef, StrategyRef


@entity(models.Strategy)
class Strategy(Node):
    """A strategy of a bot, made from a template, with settings of its own."""

    str_id: int = column("Key of the strategy.")
    bot_id: int | None = column("Key of the bot; null if the strategy has no bot.")
    cat_str_id: int = column("Key of the template.")
    take_profit: float | None = column("Profit at which a position is closed, in percent.")
    stop_loss: float | None = column("Loss at which a position is closed, in percent.")
    trailing_stop: float | None = column("Fall from the best price at which a position is closed, in percent.")
    timeout: float | None = column("Age at which a position is closed, in seconds.")
    leverage: float = column("Leverage of its positions; 1 means no leverage.")
    size_pct: float | None = column("Size of a position in percent of the exchange account.")
    size: float | None = column("Fixed size of a position in `sizeCurrency`.")
    size_currency: str | None = column("Currency of `size`, e.g. `USD`.")
    pre_load_bars: int | None = column("Number of past bars that are loaded at the start.")
    feed_count: int | None = column("Number of feeds that the strategy needs.", models.Strategy.feeds)
    pairs: bool = column(
        "True if two instruments are traded against each other.", func.coalesce(models.Strategy.pairs, False)
    )

    bot: BotRef | None = to_one(
        "The bot; null if the strategy has no bot.", relation("Bot", "bot_id", models.Bot.bot_id)
    )
    catalog: CatStrategyRef = to_one(
        "The template.", relation("CatStrategy", "cat_str_id", models.CatStrategy.cat_str_id)
    )
    params: list[StrategyParamRef] = to_many(
        "The parameters, by name.", relation("StrategyParam", "str_id", models.StrategyParam.str_id)
    )
    feeds: list[FeedRef] = to_many("The feeds, by key.", relation("Feed", "str_id", models.Feed.str_id))


@entity(models.StrategyParam)
class StrategyParam(Node):
    """One parameter of a strategy."""

    str_id: int = column("Key of the strategy.")
    name: str = column("Name of the parameter, unique within the strategy.")
    value: str = column("Value as text.")

    strategy: StrategyRef = to_one("The strategy.", relation("Strategy", "str_id", models.Strategy.str_id))


@strawberry.input(
    description="A new strategy made from a template. A field that is omitted or null takes the template's value."
)
class CreateStrategyInput:
    bot_id: int = required("Key of the bot.")
    cat_str_id: int = required("Key of the template.")
    take_profit: float | None = optional("Profit at which a position is closed, in percent.")
    stop_loss: float | None = optional("Loss at which a position is closed, in percent.")
    trailing_stop: float | None = optional("Fall from the best price at which a position is closed, in percent.")
    timeout: float | None = optional("Age at which a position is closed, in seconds.")
    leverage: float | None = optional("Leverage of its positions, above 0; 1 means no leverage.")
    size_pct: float | None = optional("Size of a position in percent of the exchange account, above 0.")
    size: float | None = optional("Fixed size of a position in `sizeCurrency`, above 0.")
    size_currency: str | None = optional("Currency of `size`, at most 5 characters.")
    pre_load_bars: int | None = optional("Number of past bars that are loaded at the start.")
    feeds: int | None = optional("Number of feeds that the strategy needs.", name="feedCount")
    pairs: bool | None = optional("True if two instruments are traded against each other.")
    params: list[ParamInput] | None = optional(
        "Parameters that replace or extend the parameters of the template.", None
    )


@strawberry.input(
    description="Changes of a strategy. An omitted field keeps its value; null clears a field that may be null."
)
class UpdateStrategyInput:
    str_id: int = required("Key of the strategy.")
    take_profit: float | None = optional("Profit at which a position is closed, in percent.")
    stop_loss: float | None = optional("Loss at which a position is closed, in percent.")
    trailing_stop: float | None = optional("Fall from the best price at which a position is closed, in percent.")
    timeout: float | None = optional("Age at which a position is closed, in seconds.")
    leverage: float | None = optional("Leverage of its positions, above 0; 1 means no leverage.")
    size_pct: float | None = optional("Size of a position in percent of the exchange account, above 0.")
    size: float | None = optional("Fixed size of a position in `sizeCurrency`, above 0.")
    size_currency: str | None = optional("Currency of `size`, at most 5 characters.")
    pre_load_bars: int | None = optional("Number of past bars that are loaded at the start.")
    feeds: int | None = optional("Number of feeds that the strategy needs.", name="feedCount")
    pairs: bool | None = optional("True if two instruments are traded against each other.")
