"""What accounts held in the past."""

from __future__ import annotations

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import ExchangeRef, UserRef
from fullon_graphql.schema.support.scalars import DateTime


@entity(models.ExchangeHistory)
class ExchangeHistory(Node):
    """What an exchange account held of one currency at one time. A balance that is stored twice is one balance."""

    ex_id: int = column("Key of the exchange account.")
    user_id: int = column("Key of the owner: their `uid`.")
    currency: str = column("The currency, e.g. `USD`.")
    balance: float = column("What was held, in that currency.")
    comment: str | None = column("Remark of whoever noted it.")
    timestamp: DateTime = column("When it was held.")

    account: ExchangeRef | None = to_one(
        "The exchange account; null where you may not see it.", relation("Exchange", "ex_id", models.Exchange.ex_id)
    )
    user: UserRef = to_one("The owner.", relation("User", "user_id", models.User.uid))
