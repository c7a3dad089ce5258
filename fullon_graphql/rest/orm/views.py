"""The platform's views over REST: figures about bots, trades and balances, each null where there is nothing to say.

Formulas and units are those of the services, and of `docs/analytics.md`.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from fullon_graphql.models import User
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, ThePrincipal, WorkerDep
from fullon_graphql.rest.orm.scopes import TheCurrency, TheScope
from fullon_graphql.rest.orm.trade_statistics import as_json
from fullon_graphql.rest.parameters import Key
from fullon_graphql.rest.rows import found
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics import bot_dashboard, performance, portfolio, trade_statistics, user_summary
from fullon_graphql.services.analytics.bot_dashboard import BotDashboard
from fullon_graphql.services.analytics.performance import Performance
from fullon_graphql.services.analytics.portfolio import Portfolio
from fullon_graphql.services.analytics.trade_statistics import TradeStatistics
from fullon_graphql.services.analytics.user_summary import UserSummary

orm = APIRouter(prefix="/orm/views", tags=["views"])


@orm.get("/bot-dashboard/{user_id}", response_model=BotDashboard, summary="Somebody's bots in numbers")
async def dashboard(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """How many bots, orders and trades there are."""
    await found(worker, visible(User, caller).where(User.uid == user_id))
    return Json(await bot_dashboard.of_owner(worker.database, caller, user_id))


@orm.get("/trading-overview", response_model=TradeStatistics, summary="What was traded, and how well")
async def trading_overview(
    worker: WorkerDep, caller: CallerDep, scope: TheScope, currency: TheCurrency = "USD"
) -> Json:
    """`success_rate` is the win rate under the name that the platform's clients look for."""
    figures = await trade_statistics.overall(worker.database, worker.redis, caller, scope, currency)
    return Json(as_json(figures))


@orm.get("/performance-metrics", response_model=Performance, summary="How well the trades did")
@orm.get("/risk-metrics", response_model=Performance, summary="What was at risk in the trades")
async def performance_metrics(
    worker: WorkerDep,
    caller: CallerDep,
    scope: TheScope,
    currency: TheCurrency = "USD",
    capital: Annotated[
        float | None, Query(gt=0, lt=1e300, description="What there was before the first trade, for fractions of it.")
    ] = None,
) -> Json:
    """Win rate, profit factor, Sharpe ratio, drawdown, value at risk."""
    return Json(await performance.of_trades(worker.database, worker.redis, caller, scope, currency, capital))


@orm.get("/user-summary", response_model=UserSummary, summary="What somebody has, and won today")
async def summary(
    worker: WorkerDep,
    principal: ThePrincipal,
    user_id: Annotated[Key | None, Query(description="Whose; one's own unless given.")] = None,
    currency: TheCurrency = "USD",
) -> Json:
    """Balances and open positions at the prices of now."""
    uid = principal.uid if user_id is None else user_id
    return Json(await user_summary.of_person(worker.database, worker.redis, principal, uid, currency))


@orm.get("/portfolio-stats", response_model=Portfolio, summary="What somebody's accounts hold, and what it is worth")
async def portfolio_stats(
    worker: WorkerDep,
    principal: ThePrincipal,
    user_id: Annotated[Key | None, Query(description="Whose; one's own unless given.")] = None,
    ex_id: Annotated[Key | None, Query(description="Only this account.")] = None,
    currency: TheCurrency = "USD",
) -> Json:
    """At the prices of now."""
    uid = principal.uid if user_id is None else user_id
    return Json(await portfolio.of_accounts(worker.database, worker.redis, principal, currency, uid, ex_id))
