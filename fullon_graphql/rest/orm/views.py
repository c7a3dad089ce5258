"""The platform's views over REST: figures about bots, trades and balances, null without data.

`docs/analytics.md` has the formulas and units.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from fullon_graphql.models import User
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, ReaderDep, WorkerDep
from fullon_graphql.rest.orm.scopes import CurrencyParam, ScopeDep
from fullon_graphql.rest.orm.trade_statistics import as_json
from fullon_graphql.rest.parameters import Key
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import find_row
from fullon_graphql.services.analytics import bot_dashboard, performance, portfolio, trade_statistics, user_summary
from fullon_graphql.services.analytics.bot_dashboard import BotDashboard
from fullon_graphql.services.analytics.performance import Performance
from fullon_graphql.services.analytics.portfolio import Portfolio
from fullon_graphql.services.analytics.trade_statistics import TradeStatistics
from fullon_graphql.services.analytics.user_summary import UserSummary

router = RouteList(prefix="/orm/views", tags=["views"])


@router.get("/bot-dashboard/{user_id}", response_model=BotDashboard, summary="Get a user's bot dashboard")
async def get_bot_dashboard(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """Numbers of bots, orders and trades."""
    await find_row(worker, caller, User, uid=user_id)
    return Json(await bot_dashboard.of_owner(worker.reads(caller), caller, user_id))


@router.get("/trading-overview", response_model=TradeStatistics, summary="Get the trading overview")
async def get_trading_overview(
    worker: WorkerDep, caller: CallerDep, scope: ScopeDep, currency: CurrencyParam = "USD"
) -> Json:
    """Statistics of trades. `success_rate` is the win rate under the platform's name."""
    figures = await trade_statistics.overall(worker.reads(caller), worker.redis, caller, scope, currency)
    return Json(as_json(figures))


@router.get("/performance-metrics", response_model=Performance, summary="Get performance metrics")
@router.get("/risk-metrics", response_model=Performance, summary="Get risk metrics")
async def get_performance_metrics(
    worker: WorkerDep,
    caller: CallerDep,
    scope: ScopeDep,
    currency: CurrencyParam = "USD",
    capital: Annotated[
        float | None, Query(gt=0, lt=1e300, description="Capital before the first trade, the base of fractions.")
    ] = None,
) -> Json:
    """Win rate, profit factor, Sharpe ratio, drawdown, value at risk."""
    return Json(await performance.of_trades(worker.reads(caller), worker.redis, caller, scope, currency, capital))


@router.get("/user-summary", response_model=UserSummary, summary="Get a user's summary")
async def get_user_summary(
    worker: WorkerDep,
    principal: ReaderDep,
    user_id: Annotated[Key | None, Query(description="`uid` of the user; the caller by default.")] = None,
    currency: CurrencyParam = "USD",
) -> Json:
    """Balances and open positions at current prices."""
    uid = principal.uid if user_id is None else user_id
    return Json(await user_summary.of_person(worker.reads(principal), worker.redis, principal, uid, currency))


@router.get("/portfolio-stats", response_model=Portfolio, summary="Get a user's portfolio")
async def get_portfolio(
    worker: WorkerDep,
    principal: ReaderDep,
    user_id: Annotated[Key | None, Query(description="`uid` of the user; the caller by default.")] = None,
    ex_id: Annotated[Key | None, Query(description="Only this account.")] = None,
    currency: CurrencyParam = "USD",
) -> Json:
    """Holdings of the user's accounts, valued at current prices."""
    uid = principal.uid if user_id is None else user_id
    return Json(await portfolio.of_accounts(worker.reads(principal), worker.redis, principal, currency, uid, ex_id))
