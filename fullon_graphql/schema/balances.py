"""Live balances of exchange accounts."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.config import Subgraph
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.engine.subgraphs import part_of
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import live
from fullon_graphql.services.access import read_scope


@part_of(Subgraph.CACHE, read_scope(models.Exchange))
@strawberry.type(description="The balance of one currency on an exchange account. Amounts are in that currency.")
class Balance(FromRecord):
    ex_id: int = strawberry.field(description="Key of the exchange account.")
    currency: str = strawberry.field(description="The currency, e.g. `USD`.")
    total: float = strawberry.field(description="Total amount: `free + used`.")
    free: float = strawberry.field(description="Amount available for new orders.")
    used: float = strawberry.field(description="Amount reserved by open orders and positions.")
    updated_at: DateTime | None = strawberry.field(
        description="Time at which the account was last read from the exchange."
    )


BALANCES_OF_ACCOUNT = Batch(("ex_id",), live.balances_of_accounts, build=Balance.from_record)
