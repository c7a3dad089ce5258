"""Queries about results over time."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.schema.ledger import (
    Currency,
    Days,
    From,
    Kind,
    OfAccount,
    OfBot,
    OfPerson,
    OfSymbol,
    To,
    bots,
)
from fullon_graphql.schema.results import AsOf, GroupBy, Period, Results
from fullon_graphql.services.analytics import ledger, results
from fullon_graphql.services.analytics.ledger import Scope, TradeKind
from fullon_graphql.services.analytics.results import ResultPeriod


@strawberry.type
class ResultQueries:
    @strawberry.field(description="Results by day, week or month of the trades you may see, as columns.")
    async def daily_results(
        self,
        info: Info,
        period: Period = ResultPeriod.DAY,
        group_by: GroupBy = None,
        kind: Kind = TradeKind.LIVE,
        from_: From = None,
        to: To = None,
        days: Days = None,
        bot_id: OfBot = None,
        ex_id: OfAccount = None,
        symbol: OfSymbol = None,
        uid: OfPerson = None,
        currency: Currency = "USD",
        as_of: AsOf = None,
    ) -> Results:
        scope = Scope(kind, ledger.Period(from_, to, days), uid, ex_id, symbol, bots(bot_id))
        context = info.context
        found = await results.by_period(
            context.database, context.redis, context.caller, scope, currency, period, group_by, as_of
        )
        return Results.from_record(found)
