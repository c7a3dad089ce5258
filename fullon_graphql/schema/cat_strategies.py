"""Strategy templates, with their parameters."""

from __future__ import annotations

import strawberry
from sqlalchemy import func

from fullon_graphql import models
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.relation import connection, to_many, to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.inputs import ParamInput, optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import CatStrategyParamRef, CatStrategyRef, StrategyRef


@entity(models.CatStrategy)
class CatStrategy(Node):
    """A strategy template. A strategy made from it starts with the template's settings."""

    cat_str_id: int = column("Key of the template.")
    name: str = column("Unique name, e.g. `rsi_hayden_long`.")
    take_profit: float | None = column("Profit at which a position is closed, in percent.")
    stop_loss: float | None = column("Loss at which a position is closed, in percent.")
    trailing_stop: float | None = column("Fall from the best price at which a position is closed, in percent.")
    timeout: float | None = column("Age at which a position is closed, in seconds.")
    pre_load_bars: int = column("Number of past bars that are loaded at the start.")
    feed_count: int = column("Number of feeds that a strategy of this kind needs.", models.CatStrategy.feeds)
    pairs: bool = column(
        "True if two instruments are traded against each other.", func.coalesce(models.CatStrategy.pairs, False)
    )

    params: list[CatStrategyParamRef] = to_many(
        "The parameters with their initial values, by name.",
        relation("CatStrategyParam", "cat_str_id", models.CatStrategyParam.cat_str_id),
    )
    strategies: Connection[StrategyRef] = connection(
        "The strategies made from this template that you may see, by key.",
        relation("Strategy", "cat_str_id", models.Strategy.cat_str_id),
    )


@entity(models.CatStrategyParam)
class CatStrategyParam(Node):
    """One parameter of a strategy template."""

    cat_str_id: int = column("Key of the template.")
    name: str = column("Name of the parameter, unique within the template.")
    value: str = column("Initial value as text.")

    catalog: CatStrategyRef = to_one(
        "The template.", relation("CatStrategy", "cat_str_id", models.CatStrategy.cat_str_id)
    )


@strawberry.input(description="A new strategy template.")
class CreateCatStrategyInput:
    name: str = required("Unique name, at most 50 characters.")
    take_profit: float | None = optional("Profit at which a position is closed, in percent.")
    stop_loss: float | None = optional("Loss at which a position is closed, in percent.")
    trailing_stop: float | None = optional("Fall from the best price at which a position is closed, in percent.")
    timeout: float | None = optional("Age at which a position is closed, in seconds.")
    pre_load_bars: int | None = optional("Number of past bars that are loaded at the start.")
    feeds: int | None = optional("Number of feeds that a strategy of this kind needs.", name="feedCount")
    pairs: bool | None = optional("True if two instruments are traded against each other.")
    params: list[ParamInput] | None = optional("The parameters with their initial values.", None)


@strawberry.input(
    description="Changes of a strategy template. An omitted field keeps its value; null clears a field that may be"
    " null."
)
class UpdateCatStrategyInput:
    cat_str_id: int = required("Key of the template.")
    name: str | None = optional("New name.")
    take_profit: float | None = optional("Profit at which a position is closed, in percent.")
    stop_loss: float | None = optional("Loss at which a position is closed, in percent.")
    trailing_stop: float | None = optional("Fall from the best price at which a position is closed, in percent.")
    timeout: float | None = optional("Age at which a position is closed, in seconds.")
    pre_load_bars: int | None = optional("Number of past bars that are loaded at the start.")
    feeds: int | None = optional("Number of feeds that a strategy of this kind needs.", name="feedCount")
    pairs: bool | None = optional("True if two instruments are traded against each other.")
