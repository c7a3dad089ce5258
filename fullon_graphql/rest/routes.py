"""All routes under `/api/v1`."""

from __future__ import annotations

from fastapi import APIRouter

from fullon_graphql.rest import services, sessions
from fullon_graphql.rest.answers import ERRORS
from fullon_graphql.rest.cache import accounts, bot_status, live_orders, market, processes, tickers
from fullon_graphql.rest.dependencies import SIGNING_IN
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

api = APIRouter(prefix="/api/v1", responses=ERRORS)
api.include_router(sessions.router)

_SIGNED_IN = [
    services.router,
    candles.router,
    market_trades.router,
    discovery.router,
    tickers.cache,
    accounts.cache,
    live_orders.cache,
    bot_status.cache,
    market.cache,
    processes.cache,
    users.orm,
    api_keys.orm,
    bots.orm,
    exchanges.orm,
    strategies.orm,
    symbols.orm,
    orders.orm,
    trades.orm,
    trade_statistics.orm,
    views.orm,
]
for _router in _SIGNED_IN:
    api.include_router(_router, dependencies=SIGNING_IN)
