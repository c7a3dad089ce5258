"""Queued trades and cached bars of the platform's programs, over REST. Reading does not consume them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.cache import market
from fullon_graphql.observability.read_meter import CACHED_BARS
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.cache.figures import ReadFigures, read_figures
from fullon_graphql.rest.dependencies import CandlesDep, WorkerDep
from fullon_graphql.rest.parameters import MAX_PAGE, ExchangeName, SymbolName
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.services.symbols import find_spelling, spellings

router = RouteList(prefix="/cache", tags=["cache"])

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


class CachedTimeframe(BaseModel):
    """Cached bars of one symbol and timeframe."""

    timeframe: Timeframe
    size: int = Field(description="Number of bars.")
    newest: AwareDatetime | None = Field(description="Start of the newest bar.")


class CachedTimeframes(BaseModel):
    """Cached bars of one symbol."""

    symbol: str
    timeframes: list[Timeframe] = Field(description="Timeframes with cached bars, shortest first.")
    cached: list[CachedTimeframe]


class BarListStatus(CachedTimeframe):
    """Cached bars of one symbol and timeframe."""

    symbol: str
    age_seconds: float | None = Field(description="Seconds since the start of the newest bar.")


class BarCacheStatus(BaseModel):
    """All cached bars."""

    count: int = Field(description="Number of lists.")
    size: int = Field(description="Number of bars.")
    lists: list[BarListStatus]


@router.get(
    "/trades/{exchange}/{symbol:path}", response_model=TradeQueue, summary="Get the trade queue of an instrument"
)
async def get_trade_queue(
    worker: WorkerDep, principal: CandlesDep, exchange: ExchangeName, symbol: SymbolName, limit: Count = 100
) -> Json:
    """Reading does not consume the queue. 404 for a symbol that is neither in the catalogue nor in a queue."""
    read = {name: await market.read_trades(worker.redis, exchange, name, limit) for name in spellings(symbol)}
    queued = [name for name, queue in read.items() if queue.size]
    name = await find_spelling(worker.reads(principal), principal, symbol, exchange=exchange, known=queued)
    queue, named = read[name], {"exchange": exchange, "symbol": name}
    return Json(named | {"size": queue.size, "last_pushed": queue.last_pushed, "trades": queue.trades})


@router.get("/ohlcv/cache/status", response_model=BarCacheStatus, summary="Get age and size of all cached bars")
async def get_bar_cache_status(worker: WorkerDep, _signed_in: CandlesDep) -> Json:
    """Ordered by symbol and timeframe."""
    found, now = await market.read_bar_lists(worker.redis, list(Timeframe)), datetime.now(UTC)
    lists = [
        {
            "symbol": one.symbol,
            "timeframe": one.timeframe,
            "size": one.size,
            "newest": one.newest,
            "age_seconds": (now - one.newest).total_seconds() if one.newest else None,
        }
        for one in found
    ]
    return Json({"count": len(lists), "size": sum(one.size for one in found), "lists": lists})


@router.get("/ohlcv/performance/metrics", response_model=ReadFigures, summary="Get figures of reads of cached bars")
async def get_bar_cache_metrics(_signed_in: CandlesDep) -> Json:
    """Measured by this process since its start, over REST and sockets."""
    return Json(read_figures(CACHED_BARS))


@router.get("/ohlcv/{symbol:path}/timeframes", response_model=CachedTimeframes, summary="List cached timeframes")
async def list_cached_timeframes(worker: WorkerDep, principal: CandlesDep, symbol: SymbolName) -> Json:
    """Timeframes with cached bars of a symbol, on any exchange: the platform's key names none."""
    found = await market.read_bar_lists(worker.redis, list(Timeframe), spellings(symbol))
    name = await find_spelling(worker.reads(principal), principal, symbol, known={one.symbol for one in found})
    cached = [{"timeframe": o.timeframe, "size": o.size, "newest": o.newest} for o in found if o.symbol == name]
    return Json({"symbol": name, "timeframes": [one["timeframe"] for one in cached], "cached": cached})


@router.get("/ohlcv/{symbol:path}/{timeframe}", response_model=CachedBars, summary="Get cached bars of an instrument")
async def get_cached_bars(
    worker: WorkerDep, principal: CandlesDep, symbol: SymbolName, timeframe: Timeframe, limit: Count = 10
) -> Json:
    """Bars of the exchange that wrote last: the platform's key names no exchange. `/ohlcv/candles` is exact."""
    read = {name: await market.read_bars(worker.redis, name, timeframe, limit) for name in spellings(symbol)}
    known = [name for name, bars in read.items() if bars]
    name = await find_spelling(worker.reads(principal), principal, symbol, known=known)
    found = read[name]
    return Json({"symbol": name, "timeframe": timeframe, "count": len(found), "bars": found})
