"""All routes under `API_PREFIX`."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter
from starlette.routing import BaseRoute

from fullon_graphql.rest import services, sessions
from fullon_graphql.rest.answers import ERRORS
from fullon_graphql.rest.cache import accounts, bot_status, live_orders, market, processes, tickers, trade_queues
from fullon_graphql.rest.dependencies import RATE_LIMIT, security_schemes
from fullon_graphql.rest.ohlcv import candles, discovery, market_trades
from fullon_graphql.rest.orm import (
    api_keys,
    bots,
    exchanges,
    orders,
    strategies,
    symbols,
    trade_statistics,
    trades,
    users,
    views,
)

# Paths without parameters come before those that have one in the same place.
SIGNED_IN = [
    services.router,
    candles.router,
    market_trades.router,
    discovery.router,
    tickers.router,
    tickers.by_exchange,
    accounts.router,
    accounts.orm_router,
    live_orders.router,
    bot_status.router,
    trade_queues.router,
    market.router,
    processes.router,
    users.router,
    api_keys.router,
    bots.router,
    exchanges.router,
    strategies.router,
    symbols.router,
    orders.router,
    trade_statistics.router,
    trades.router,
    views.router,
]


@cache
def api_routes(prefix: str, api_key_header: str = "X-API-Key") -> list[BaseRoute]:
    """The routes under `prefix`, which is API_PREFIX, shared by the applications of a process.

    The description names `api_key_header`.
    """
    router = APIRouter()
    sessions.router.register(router, prefix, dependencies=[RATE_LIMIT], responses=ERRORS)
    dependencies = [RATE_LIMIT, *security_schemes(prefix, api_key_header)]
    for routes in SIGNED_IN:
        routes.register(router, prefix, dependencies=dependencies, responses=ERRORS)
    return router.routes
