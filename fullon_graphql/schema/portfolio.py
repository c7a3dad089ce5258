"""Portfolios."""

from __future__ import annotations

import strawberry

from fullon_graphql.config import Subgraph
from fullon_graphql.engine.subgraphs import part_of
from fullon_graphql.schema.ledger import IN
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime


@strawberry.type(description="The total holding of one currency.")
class AssetAllocation(FromRecord):
    currency: str = strawberry.field(description="The currency, e.g. `BTC`.")
    total: float = strawberry.field(description="Amount held, in this currency.")
    price: float | None = strawberry.field(
        description="Price of one unit in the portfolio's currency, from a live ticker of the two currencies or through"
        " one other currency; null if there is none."
    )
    value: float | None = strawberry.field(description="`total * price`; null without a price.")
    weight: float | None = strawberry.field(
        description="`value / totalValue`, from 0 to 1; null if the total is unknown."
    )


@part_of(Subgraph.CACHE)
@strawberry.type(description="Value of the live balances of active exchange accounts, without sandboxes.")
class PortfolioStats(FromRecord):
    currency: str = strawberry.field(description=IN)
    accounts: int = strawberry.field(description="Number of exchange accounts.")
    accounts_without_balance: list[int] = strawberry.field(
        description="Keys of the exchange accounts that are empty or have not been read from the exchange yet."
    )
    total_assets: int = strawberry.field(description="Number of currencies held.")
    total_value: float | None = strawberry.field(
        description="Total value; null if a currency has no price or no balance is known."
    )
    priced_value: float = strawberry.field(description="Total value of the currencies that have a price.")
    asset_allocation: list[AssetAllocation] = strawberry.field(
        description="The currencies by descending value; those without a price come last."
    )
    diversification_score: float | None = strawberry.field(
        description="1 - the sum of squared weights (Herfindahl-Hirschman index): 0 for a single currency, closer to 1"
        " the more evenly the value is distributed; null if a weight is unknown."
    )
    unpriced: list[str] = strawberry.field(description="Currencies that are held but have no price.")
    prices_as_of: DateTime | None = strawberry.field(
        description="Time of the oldest ticker used for a price; null if none was needed."
    )
