"""The catalogue of strategies."""

from __future__ import annotations

import strawberry
from sqlalchemy import func

from fullon_graphql import models
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.relation import connection, to_many
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.inputs import ParamInput, needed, optional
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import CatStrategyParamRef, StrategyRef


@entity(models.CatStrategy)
class CatStrategy(Node):
    """A strategy template. Strategies that are made from it begin with its settings."""

    cat_str_id: int = column("Key of the template.")
    name: str = column("Name of the template, unique, e.g. `rsi_hayden_long`.")
    take_profit: float | None = column("Profit at which a position is closed, in per cent.")
    stop_loss: float | None = column("Loss at which a position is closed, in per cent.")
    trailing_stop: float | None = column("Fall from the best price at which a position is closed, in per cent.")
    timeout: float | None = column("Age at which a position is closed, in seconds.")
    pre_load_bars: int = column("How many past bars are read before it begins.")
    feed_count: int = column("How many feeds a strategy of this kind needs.", models.CatStrategy.feeds)
    pairs: bool = column(
        "True where two instruments are traded against each other.", func.coalesce(models.CatStrategy.pairs, False)
    )

    params: list[CatStrategyParamRef] = to_many(
        "Its parameters with their first values, by name.",
        relation("CatStrategyParam", "cat_str_id", models.CatStrategyParam.cat_str_id),
    )
    strategies: Connection[StrategyRef] = connection(
        "The strategies made from it that you may see, by key.",
        relation("Strategy", "cat_str_id", models.Strategy.cat_str_id),
    )


@strawberry.input(description="A new strategy template.")
class CreateCatStrategyInput:
    name: str = needed("At most 50 characters, unique.")
    take_profit: float | None = optional("Profit at which a position is closed, in per cent.")
    stop_loss: float | None = optional("Loss at which a position is closed, in per cent.")
    trailing_stop: float | None = optional("Fall from the best price at which a position is closed, in per cent.")
    timeout: float | None = optional("Age at which a position is closed, in seconds.")
    pre_load_bars: int | None = optional("How many past bars are read before it begins.")
    feeds: int | None = optional("How many feeds it needs.", name="feedCount")
    pairs: bool | None = optional("True where two instruments are traded against each other.")
    params: list[ParamInput] | None = optional("Its parameters with their first values.", None)


@strawberry.input(
    description="What is to change of a template. What is left out stays; null empties what may be empty."
)
class UpdateCatStrategyInput:
    cat_str_id: int = needed("Key of the template.")
    name: str | None = optional("Its new name.")
    take_profit: float | None = optional("Profit at which a position is closed, in per cent.")
    stop_loss: float | None = optional("Loss at which a position is closed, in per cent.")
    trailing_stop: float | None = optional("Fall from the best price at which a position is closed, in per cent.")
    timeout: float | None = optional("Age at which a position is closed, in seconds.")
    pre_load_bars: int | None = optional("How many past bars are read before it begins.")
    feeds: int | None = optional("How many feeds it needs.", name="feedCount")
    pairs: bool | None = optional("True where two instruments are traded against each other.")
