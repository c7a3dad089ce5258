"""Queries about what trades amounted to."""

from __future__ import annotations

from typing import Any

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.schema.ledger import over_trades
from fullon_graphql.schema.trade_statistics import SymbolStatistics, TradeStatistics, TradingOverview
from fullon_graphql.services.analytics import trade_statistics
from fullon_graphql.services.analytics.ledger import Scope


async def _overall(context: Context, scope: Scope, currency: str) -> Any:
    return await trade_statistics.overall(context.database, context.worker.redis, context.caller, scope, currency)


async def _by_symbol(context: Context, scope: Scope, currency: str) -> Any:
    return await trade_statistics.by_symbol(context.database, context.worker.redis, context.caller, scope, currency)


@strawberry.type
class TradeStatisticsQueries:
    trade_statistics: TradeStatistics = over_trades("What the trades you may see amounted to.", _overall)
    symbol_statistics: list[SymbolStatistics] = over_trades("The same for each instrument, by name.", _by_symbol)
    trading_overview: TradingOverview = over_trades("The trades you may see at a glance.", _overall)
