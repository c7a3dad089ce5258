"""Queries about performance and risk."""

from __future__ import annotations

from typing import Any

import strawberry

from fullon_graphql.context import Context, Info
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
    over_trades,
)
from fullon_graphql.schema.performance import PerformanceMetrics, RiskMetrics
from fullon_graphql.services.analytics import performance
from fullon_graphql.services.analytics.ledger import Period, Scope, TradeKind


async def _performance(context: Context, scope: Scope, currency: str) -> Any:
    found = await performance.of_trades(context.database, context.redis, context.caller, scope, currency)
    return PerformanceMetrics.from_record(found)


@strawberry.type
class PerformanceQueries:
    performance_metrics: PerformanceMetrics = over_trades("Performance of the trades you may see.", _performance)

    @strawberry.field(description="Risk of the trades you may see.")
    async def risk_metrics(
        self,
        info: Info,
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
    ) -> RiskMetrics:
        scope = Scope(kind, Period(from_, to, days), uid, ex_id, symbol, bots(bot_id))
        context = info.context
        found = await performance.of_trades(context.database, context.redis, context.caller, scope, currency, capital)
        return RiskMetrics.from_record(found)
