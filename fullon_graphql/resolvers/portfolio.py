"""Queries about portfolios."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.schema.ledger import Currency, OfAccount, OfPerson
from fullon_graphql.schema.portfolio import PortfolioStats
from fullon_graphql.services.analytics import portfolio


@strawberry.type
class PortfolioQueries:
    @strawberry.field(description="Value and distribution of the balances of the exchange accounts you may see.")
    async def portfolio_stats(
        self, info: Info, uid: OfPerson = None, ex_id: OfAccount = None, currency: Currency = "USD"
    ) -> PortfolioStats:
        context = info.context
        found = await portfolio.of_accounts(context.database, context.redis, context.caller, currency, uid, ex_id)
        return PortfolioStats.from_record(found)
