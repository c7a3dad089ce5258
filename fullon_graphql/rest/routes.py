"""All routes under `/api/v1`."""

from __future__ import annotations

from fastapi import APIRouter

from fullon_graphql.rest import accounts, candles, discovery, market_trades, services, sessions, tickers
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
]
for _router in _SIGNED_IN:
    api.include_router(_router, dependencies=SIGNING_IN)
