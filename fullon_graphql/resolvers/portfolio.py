"""Queries about portfolios."""

from __future__ import annotations

from typing import cast

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.schema.ledger import Currency, OfAccount, OfPerson
from fullon_graphql.schema.portfolio import PortfolioStats
from fullon_graphql.services.analytics import portfolio


@strawberry.type
class PortfolioQueries:
    @strawberry.field(description="What the exchange accounts you may see hold, what it is worth and how it is spread.")
    async def portfolio_stats(
        self, info: Info, uid: OfPerson = None, ex_id: OfAccount = None, currency: Currency = "USD"
    ) -> PortfolioStats:
        stores = info.context.database, info.context.worker.redis
        found = await portfolio.of_accounts(*stores, info.context.caller, currency, uid, ex_id)
        return cast("PortfolioStats", found)
