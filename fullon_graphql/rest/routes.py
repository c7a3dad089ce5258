"""All routes under `/api/v1`."""

from __future__ import annotations

from fastapi import APIRouter

from fullon_graphql.rest import (
    accounts,
    api_keys,
    bots,
    candles,
    discovery,
    exchanges,
    market_trades,
    orders,
    services,
    sessions,
    strategies,
    symbols,
    tickers,
    trades,
    users,
)
from fullon_graphql.rest.answers import ERRORS
from fullon_graphql.rest.dependencies import SIGNING_IN

api = APIRouter(prefix="/api/v1", responses=ERRORS)
api.include_router(sessions.router)

_SIGNED_IN = [
    services.router,
    candles.router,
    market_trades.router,
    discovery.router,
    tickers.cache,
    accounts.cache,
    users.orm,
    api_keys.orm,
    bots.orm,
    exchanges.orm,
    strategies.orm,
    symbols.orm,
    orders.orm,
    trades.orm,
]
for _router in _SIGNED_IN:
    api.include_router(_router, dependencies=SIGNING_IN)
