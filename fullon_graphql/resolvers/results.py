"""Queries about results over time."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.cost import SIZE
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.schema.ledger import (
    Capital,
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
from fullon_graphql.schema.results import (
    POINTS,
    AsOf,
    EquityCurve,
    GroupBy,
    Period,
    Resolution,
    Results,
    estimated_points,
)
from fullon_graphql.services.analytics import equity, ledger, results
from fullon_graphql.services.analytics.equity import MAX_POINTS
from fullon_graphql.services.analytics.ledger import Scope, TradeKind
from fullon_graphql.services.analytics.results import ResultPeriod


@strawberry.type
class ResultQueries:
    @strawberry.field(
        description="Results, open positions, drawdown and benchmark over time of the trades you may see, as columns."
        f" Starts at `from` or the first trade, ends at `to` or now, and has at most {MAX_POINTS} points.",
        metadata={SIZE: estimated_points},
        directives=[POINTS],
    )
    async def equity_curve(
        self,
        info: Info,
        resolution: Resolution = Timeframe.D1,
        kind: Kind = TradeKind.LIVE,
        from_: From = None,
        to: To = None,
        days: Days = None,
        bot_id: OfBot = None,
        ex_id: OfAccount = None,
        symbol: OfSymbol = None,
        uid: OfPerson = None,
        currency: Currency = "USD",
        capital: Capital = None,
        as_of: AsOf = None,
    ) -> EquityCurve:
        scope = Scope(kind, ledger.Period(from_, to, days), uid, ex_id, symbol, bots(bot_id))
        found = await equity.curve(info.context, scope, currency, resolution, capital, as_of)
        return EquityCurve.from_record(found)

    @strawberry.field(
        description="Results by day, week or month of the trades you may see, as columns. The groups together have at"
        f" most {results.MAX_ENTRIES} periods."
    )
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
