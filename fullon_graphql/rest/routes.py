"""All routes under `/api/v1`."""

from __future__ import annotations

from fastapi import APIRouter

from fullon_graphql.rest import services, sessions
from fullon_graphql.rest.answers import ERRORS
from fullon_graphql.rest.cache import accounts, bot_status, live_orders, market, processes, tickers
from fullon_graphql.rest.dependencies import RATE_LIMIT, SECURITY_SCHEMES
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

api = APIRouter(prefix="/api/v1", responses=ERRORS, dependencies=[RATE_LIMIT])
api.include_router(sessions.router)

_SIGNED_IN = [
    services.router,
    candles.router,
    market_trades.router,
    discovery.router,
    tickers.router,
    accounts.router,
    live_orders.router,
    bot_status.router,
    market.router,
    processes.router,
    users.router,
    api_keys.router,
    bots.router,
    exchanges.router,
    strategies.router,
    symbols.router,
    orders.router,
    trades.router,
    trade_statistics.router,
    views.router,
]
for _router in _SIGNED_IN:
    api.include_router(_router, dependencies=SECURITY_SCHEMES)
