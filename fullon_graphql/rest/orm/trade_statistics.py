"""Statistics of trades over REST, under the names the platform's clients look for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.orm.scopes import TheCurrency, TheScope
from fullon_graphql.services.analytics import performance, trade_statistics
from fullon_graphql.services.analytics.performance import Performance
from fullon_graphql.services.analytics.trade_statistics import SymbolStatistics, TradeStatistics

orm = APIRouter(prefix="/orm/trades", tags=["trades"])


@orm.get("/stats", response_model=TradeStatistics, summary="What trades amounted to")
@orm.get("/stats/overall", response_model=TradeStatistics, summary="The same under the platform's second name")
@orm.get("/summary", response_model=TradeStatistics, summary="The same under the platform's third name")
async def statistics(worker: WorkerDep, caller: CallerDep, scope: TheScope, currency: TheCurrency = "USD") -> Json:
    """Sums of nothing are 0; ratios, averages and extremes of nothing are null. `success_rate` is the win rate."""
    return Json(as_json(await trade_statistics.overall(worker.database, worker.redis, caller, scope, currency)))


@orm.get("/performance", response_model=Performance, summary="How well the trades did")
async def performance_of_trades(
    worker: WorkerDep, caller: CallerDep, scope: TheScope, currency: TheCurrency = "USD"
) -> Json:
    """Win rate, profit factor, Sharpe ratio, drawdown, value at risk."""
    return Json(await performance.of_trades(worker.database, worker.redis, caller, scope, currency))


@orm.get("/symbol-performance", response_model=list[SymbolStatistics], summary="What each instrument brought")
async def by_symbol(worker: WorkerDep, caller: CallerDep, scope: TheScope, currency: TheCurrency = "USD") -> Json:
    """By symbol."""
    return Json(await trade_statistics.by_symbol(worker.database, worker.redis, caller, scope, currency))


def as_json(statistics: TradeStatistics) -> dict[str, Any]:
    """With the win rate under its second name, too: properties are no fields."""
    return asdict(statistics) | {"success_rate": statistics.success_rate}
