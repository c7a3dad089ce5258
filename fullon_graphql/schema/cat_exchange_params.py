"""Settings of catalogued exchanges."""

from __future__ import annotations

from fullon_graphql import models
from fullon_graphql.context import Context
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.batches import Batch, batched
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import CatExchangeRef
from fullon_graphql.services import cat_exchanges


async def _values(context: Context, keys: list[tuple[int, str]]) -> list[str | None]:
    return await cat_exchanges.param_values(context.database, context.caller, keys)


@entity(models.CatExchangeParam)
class CatExchangeParam(Node):
    """One setting of a catalogued exchange."""

    cat_ex_id: int = column("Key of the exchange.")
    name: str = column("Name of the setting, unique within the exchange.")

    value: str | None = batched(
        "Its value as text. It may be a key to something: null for everybody but administrators.",
        Batch(("cat_ex_id", "name"), _values),
    )

    exchange: CatExchangeRef = to_one(
        "The exchange it belongs to.", relation("CatExchange", "cat_ex_id", models.CatExchange.cat_ex_id)
    )
