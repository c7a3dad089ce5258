"""What a person has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.schema.ledger import IN, Currency
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.analytics import user_summary


@strawberry.type(description="What a person has now, and what their bots won or lost lately.")
class UserSummary:
    uid: int = strawberry.field(description="Key of the person.")
    currency: str = strawberry.field(description=IN)
    accounts: int = strawberry.field(description="How many active exchange accounts they have, sandboxes aside.")
    account_balance: float | None = strawberry.field(
        description="What all balances of these are worth by live tickers; null where a price is missing, or nothing"
        " is known."
    )
    unrealized_pnl: float | None = strawberry.field(
        description="What closing all derivative positions now would win or lose, fees aside; null where a price is"
        " missing."
    )
    total_value: float | None = strawberry.field(
        description="`accountBalance + unrealizedPnl`; null where one of them is."
    )
    daily_pnl: float | None = strawberry.field(
        description="Results of the live trades that closed within the last 24 hours; null where a price is missing."
    )
    unpriced: list[str] = strawberry.field(description="Currencies, and instruments of positions, without a price.")
    prices_as_of: DateTime | None = strawberry.field(
        description="When the oldest ticker was seen that priced a balance; null where none was needed."
    )


async def _of_people(context: Context, people: Sequence[tuple[int]], currency: str) -> Sequence[Any]:
    uids = [uid for (uid,) in people]
    return await user_summary.of_people(context.database, context.worker.redis, context.caller, uids, currency)


def _read(currency: Currency = "USD") -> dict[str, Any]:
    return {"currency": currency}


SUMMARY_OF_USER = Batch(("uid",), _of_people, _read)
"""The summary of a person."""
