"""Parameters of strategy templates."""

from __future__ import annotations

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import CatStrategyRef


@entity(models.CatStrategyParam)
class CatStrategyParam(Node):
    """One parameter of a strategy template."""

    cat_str_id: int = column("Key of the template.")
    name: str = column("Name of the parameter, unique within the template.")
    value: str = column("Its first value as text, whatever a strategy reads it as.")

    catalog: CatStrategyRef = to_one(
        "The template it belongs to.", relation("CatStrategy", "cat_str_id", models.CatStrategy.cat_str_id)
    )
