"""Parameters of strategies."""

from __future__ import annotations

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import StrategyRef


@entity(models.StrategyParam)
class StrategyParam(Node):
    """One parameter of a strategy."""

    str_id: int = column("Key of the strategy.")
    name: str = column("Name of the parameter, unique within the strategy.")
    value: str = column("Its value as text, whatever the strategy reads it as.")

    strategy: StrategyRef = to_one(
        "The strategy it belongs to.", relation("Strategy", "str_id", models.Strategy.str_id)
    )
