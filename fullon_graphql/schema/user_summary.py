"""Summary of a user's exchange accounts."""

from __future__ import annotations

from typing import Any

import strawberry

from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.schema.ledger import IN, Currency
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.analytics import user_summary


@strawberry.type(description="Current value of a user's exchange accounts, and the results of the last 24 hours.")
class UserSummary(FromRecord):
    uid: int = strawberry.field(description="`uid` of the user.")
    currency: str = strawberry.field(description=IN)
    accounts: int = strawberry.field(description="Number of active exchange accounts, without sandboxes.")
    account_balance: float | None = strawberry.field(
        description="Value of all balances of these accounts by live tickers; null if a price is missing or no balance"
        " is known."
    )
    unrealized_pnl: float | None = strawberry.field(
        description="Profit or loss if all derivative positions were closed now, without fees; null if a price is"
        " missing."
    )
    total_value: float | None = strawberry.field(
        description="`accountBalance + unrealizedPnl`; null if either is null."
    )
    daily_pnl: float | None = strawberry.field(
        description="Sum of the results of live trades closed in the last 24 hours; null if a price is missing."
    )
    left_out: int = strawberry.field(
        description="Number of stored figures (cost, fee, `roi`, `roiPct`) of live trades of the last 24 hours that are"
        " NaN or infinite, and of results without a valid time. `dailyPnl` does not include them."
    )
    unpriced: list[str] = strawberry.field(description="Currencies, and instruments of positions, without a price.")
    prices_as_of: DateTime | None = strawberry.field(
        description="Time of the oldest ticker used to value a balance; null if none was needed."
    )


def _parse(currency: Currency = "USD") -> dict[str, Any]:
    return {"currency": currency}


SUMMARY_OF_USER = Batch(("uid",), user_summary.of_users, _parse, build=UserSummary.from_record)
