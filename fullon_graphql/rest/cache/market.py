"""Trades and bars on their way between the platform's programs, over REST. Nothing is taken away from them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.cache import market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import ThePrincipal, WorkerDep
from fullon_graphql.rest.parameters import MAX_PAGE, Exchange, SymbolName

cache = APIRouter(prefix="/cache", tags=["cache"])

Count = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many, the newest.")]


class TradeQueue(BaseModel):
    """Public trades that wait to be stored."""

    exchange: str
    symbol: str
    size: int = Field(description="How many wait.")
    last_pushed: AwareDatetime | None = Field(description="When the last one of the exchange came.")
    trades: list[Any] = Field(description="The newest, oldest first, as their writer wrote them.")


class CachedBars(BaseModel):
    """Bars that a program of the platform has put by."""

    symbol: str
    timeframe: Timeframe
    count: int
    bars: list[Any] = Field(description="`[time, open, high, low, close, volume]`, oldest first.")


@cache.get("/trades/{exchange}/{symbol:path}", response_model=TradeQueue, summary="Which trades wait to be stored?")
async def trades(
    worker: WorkerDep, _signed_in: ThePrincipal, exchange: Exchange, symbol: SymbolName, limit: Count = 100
) -> Json:
    """They go on waiting: this is a look at the queue."""
    queue = await market.read_trades(worker.redis, exchange, symbol, limit)
    named = {"exchange": exchange, "symbol": symbol}
    return Json(named | {"size": queue.size, "last_pushed": queue.last_pushed, "trades": queue.trades})


@cache.get("/ohlcv/{symbol:path}/{timeframe}", response_model=CachedBars, summary="Which bars are put by?")
async def bars(
    worker: WorkerDep, _signed_in: ThePrincipal, symbol: SymbolName, timeframe: Timeframe, limit: Count = 10
) -> Json:
    """Of whichever exchange wrote last: the platform's key has none in it. See `/ohlcv/candles` for certainty."""
    found = await market.read_bars(worker.redis, symbol, timeframe, limit)
    return Json({"symbol": symbol, "timeframe": timeframe, "count": len(found), "bars": found})
