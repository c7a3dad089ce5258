"""Queued trades and cached bars of the platform's programs, over REST. Reading does not consume them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.cache import market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import PrincipalDep, WorkerDep
from fullon_graphql.rest.parameters import MAX_PAGE, ExchangeName, SymbolName

router = APIRouter(prefix="/cache", tags=["cache"])

Count = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Maximum number, the newest.")]


class TradeQueue(BaseModel):
    """Public trades that wait to be stored."""

    exchange: str
    symbol: str
    size: int = Field(description="Number of waiting trades.")
    last_pushed: AwareDatetime | None = Field(description="Time of the last trade of the exchange, on any symbol.")
    trades: list[Any] = Field(description="The newest trades, oldest first, as their writer stored them.")


class CachedBars(BaseModel):
    """Bars that a program of the platform has cached."""

    symbol: str
    timeframe: Timeframe
    count: int
    bars: list[Any] = Field(description="`[time, open, high, low, close, volume]`, oldest first.")


@router.get(
    "/trades/{exchange}/{symbol:path}", response_model=TradeQueue, summary="Get the trade queue of an instrument"
)
async def get_trade_queue(
    worker: WorkerDep, _signed_in: PrincipalDep, exchange: ExchangeName, symbol: SymbolName, limit: Count = 100
) -> Json:
    """Reading does not consume the queue."""
    queue = await market.read_trades(worker.redis, exchange, symbol, limit)
    named = {"exchange": exchange, "symbol": symbol}
    return Json(named | {"size": queue.size, "last_pushed": queue.last_pushed, "trades": queue.trades})


@router.get("/ohlcv/{symbol:path}/{timeframe}", response_model=CachedBars, summary="Get cached bars of an instrument")
async def get_cached_bars(
    worker: WorkerDep, _signed_in: PrincipalDep, symbol: SymbolName, timeframe: Timeframe, limit: Count = 10
) -> Json:
    """Bars of the exchange that wrote last: the platform's key names no exchange. `/ohlcv/candles` is exact."""
    found = await market.read_bars(worker.redis, symbol, timeframe, limit)
    return Json({"symbol": symbol, "timeframe": timeframe, "count": len(found), "bars": found})
