"""Queries for statistics of trades."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.schema.ledger import over_trades
from fullon_graphql.schema.trade_statistics import SymbolStatistics, TradeStatistics, TradingOverview
from fullon_graphql.services.analytics import trade_statistics
from fullon_graphql.services.analytics.ledger import Scope


async def _statistics(context: Context, scope: Scope, currency: str) -> TradeStatistics:
    found = await trade_statistics.overall(context.database, context.redis, context.caller, scope, currency)
    return TradeStatistics.from_record(found)


async def _by_symbol(context: Context, scope: Scope, currency: str) -> list[SymbolStatistics]:
    found = await trade_statistics.by_symbol(context.database, context.redis, context.caller, scope, currency)
    return [SymbolStatistics.from_record(each) for each in found]


async def _overview(context: Context, scope: Scope, currency: str) -> TradingOverview:
    found = await trade_statistics.overall(context.database, context.redis, context.caller, scope, currency)
    return TradingOverview.from_record(found)


@strawberry.type
class TradeStatisticsQueries:
    trade_statistics: TradeStatistics = over_trades("Statistics of the trades you may see.", _statistics)
    symbol_statistics: list[SymbolStatistics] = over_trades(
        "The same statistics per instrument, by symbol.", _by_symbol
    )
    trading_overview: TradingOverview = over_trades("Summary of the trades you may see.", _overview)
