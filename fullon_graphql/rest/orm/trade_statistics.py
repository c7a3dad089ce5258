"""Statistics of trades over REST, under the names that the platform's clients use."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.orm.scopes import CurrencyParam, ScopeDep
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.services.analytics import performance, trade_statistics
from fullon_graphql.services.analytics.performance import Performance
from fullon_graphql.services.analytics.trade_statistics import SymbolStatistics, TradeStatistics

router = RouteList(prefix="/orm/trades", tags=["trades"])


@router.get("/stats", response_model=TradeStatistics, summary="Get statistics of trades")
@router.get("/stats/overall", response_model=TradeStatistics, summary="Get statistics of trades (second path)")
@router.get("/summary", response_model=TradeStatistics, summary="Get statistics of trades (third path)")
async def get_trade_statistics(
    worker: WorkerDep, caller: CallerDep, scope: ScopeDep, currency: CurrencyParam = "USD"
) -> Json:
    """Without trades, sums are 0, and ratios, averages and extremes are null. `success_rate` is the win rate."""
    return Json(as_json(await trade_statistics.overall(worker.reads(caller), worker.redis, caller, scope, currency)))


@router.get("/performance", response_model=Performance, summary="Get the performance of trades")
async def get_trade_performance(
    worker: WorkerDep, caller: CallerDep, scope: ScopeDep, currency: CurrencyParam = "USD"
) -> Json:
    """Win rate, profit factor, Sharpe ratio, drawdown, value at risk."""
    return Json(await performance.of_trades(worker.reads(caller), worker.redis, caller, scope, currency))


@router.get(
    "/symbol-performance", response_model=list[SymbolStatistics], summary="Get statistics of trades by instrument"
)
async def list_symbol_statistics(
    worker: WorkerDep, caller: CallerDep, scope: ScopeDep, currency: CurrencyParam = "USD"
) -> Json:
    """Ordered by symbol."""
    return Json(await trade_statistics.by_symbol(worker.reads(caller), worker.redis, caller, scope, currency))


def as_json(statistics: TradeStatistics) -> dict[str, Any]:
    """The fields, and the property `success_rate`, which `asdict` leaves out."""
    return asdict(statistics) | {"success_rate": statistics.success_rate}
