"""Queries for statistics of orders."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.schema.ledger import Days, From, OfAccount, OfBot, OfPerson, OfSymbol, To, bots
from fullon_graphql.schema.order_statistics import OrderStatistics
from fullon_graphql.services.analytics import order_statistics
from fullon_graphql.services.analytics.ledger import Period, Scope


@strawberry.type
class OrderStatisticsQueries:
    @strawberry.field(description="Counts of the orders you may see, by outcome.")
    async def order_statistics(
        self,
        info: Info,
        from_: From = None,
        to: To = None,
        days: Days = None,
        bot_id: OfBot = None,
        ex_id: OfAccount = None,
        symbol: OfSymbol = None,
        uid: OfPerson = None,
    ) -> OrderStatistics:
        period = Period(from_, to, days)
        scope = Scope(period=period, uid=uid, ex_id=ex_id, symbol=symbol, bot_ids=bots(bot_id))
        found = await order_statistics.of_orders(info.context.database, info.context.caller, scope)
        return OrderStatistics.from_record(found)
