"""Live balances of exchange accounts."""

from __future__ import annotations

import strawberry

from fullon_graphql.cache import accounts
from fullon_graphql.context import Context
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.schema.support.scalars import DateTime


@strawberry.type(description="What an exchange account holds of one currency, in that currency.")
class Balance:
    ex_id: int = strawberry.field(description="Key of the exchange account.")
    currency: str = strawberry.field(description="The currency, e.g. `USD`.")
    total: float = strawberry.field(description="Everything held: `free + used`.")
    free: float = strawberry.field(description="What can be used for new orders.")
    used: float = strawberry.field(description="What open orders and positions bind.")
    updated_at: DateTime | None = strawberry.field(description="When the account was last read from the exchange.")

    @classmethod
    def of(cls, balance: accounts.Balance) -> Balance:
        """The GraphQL object of a cached balance."""
        return cls(
            ex_id=balance.ex_id,
            currency=balance.currency,
            total=balance.total,
            free=balance.free,
            used=balance.used,
            updated_at=DateTime(balance.updated_at) if balance.updated_at else None,
        )


async def _of_accounts(context: Context, keys: list[tuple[int]]) -> list[list[Balance]]:
    ex_ids = [ex_id for (ex_id,) in keys]
    found = await accounts.read_balances(context.worker.redis, ex_ids)
    return [[Balance.of(balance) for balance in found[ex_id]] for ex_id in ex_ids]


BALANCES_OF_ACCOUNT = Batch(("ex_id",), _of_accounts)
"""The balances of an exchange account."""
