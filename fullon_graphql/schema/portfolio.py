"""Portfolios."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.ledger import IN
from fullon_graphql.schema.support.scalars import DateTime


@strawberry.type(description="All that is held of one currency.")
class AssetAllocation:
    currency: str = strawberry.field(description="The currency, e.g. `BTC`.")
    total: float = strawberry.field(description="How much of it is held, in itself.")
    price: float | None = strawberry.field(
        description="What one unit is worth in the portfolio's currency, by a live ticker between the two or by way of"
        " one other currency; null where there is none."
    )
    value: float | None = strawberry.field(description="`total * price`; null without a price.")
    weight: float | None = strawberry.field(
        description="`value / totalValue`, from 0 to 1; null where the total is not known."
    )


@strawberry.type(description="Live balances of active exchange accounts, sandboxes aside, and what they are worth.")
class PortfolioStats:
    currency: str = strawberry.field(description=IN)
    accounts: int = strawberry.field(description="How many exchange accounts are looked at.")
    accounts_without_balance: list[int] = strawberry.field(
        description="Keys of those that are empty, or that nobody has read from the exchange yet."
    )
    total_assets: int = strawberry.field(description="How many currencies are held.")
    total_value: float | None = strawberry.field(
        description="What they are worth together; null where one of them has no price, or nothing is known."
    )
    priced_value: float = strawberry.field(description="What those with a price are worth together.")
    asset_allocation: list[AssetAllocation] = strawberry.field(
        description="The currencies, the most valuable first, those without a price last."
    )
    diversification_score: float | None = strawberry.field(
        description="1 - the sum of squared weights (Herfindahl-Hirschman): 0 where all is in one currency, towards 1"
        " the more evenly it is spread; null where a weight is not known."
    )
    unpriced: list[str] = strawberry.field(description="Currencies that are held and have no price.")
    prices_as_of: DateTime | None = strawberry.field(
        description="When the oldest ticker was seen that priced something; null where none was needed."
    )
