"""Candles over REST, as the platform's clients ask for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.ohlcv.candles import CandleColumns
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import MAX_BARS, Window
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import TheMarketData
from fullon_graphql.rest.ohlcv.envelope import Envelope, enveloped
from fullon_graphql.rest.parameters import Exchange, SymbolName, Time

router = APIRouter(prefix="/ohlcv", tags=["ohlcv"])

_INSTANT: Final = timedelta(microseconds=1)
_LATEST: Final = datetime.max.replace(tzinfo=UTC) - _INSTANT


class Bar(BaseModel):
    """One bar. Prices are in quote currency, `vol` is in base currency."""

    timestamp: AwareDatetime = Field(description="Start of the bucket, UTC.")
    open: float
    high: float
    low: float
    close: float
    vol: float


class Candles(Envelope):
    """Bars in ascending order."""

    exchange: str
    symbol: str
    timeframe: Timeframe
    candles: list[Bar]


class Timeseries(Envelope):
    """The same with the platform's other name for the list."""

    exchange: str
    symbol: str
    timeframe: Timeframe
    ohlcv: list[Bar]
    trades_processed: int | None = Field(None, description="Always null, as on the platform.")
    generation_time_ms: float | None = Field(None, description="Always null, as on the platform.")


Fill = Annotated[
    bool, Query(description="Put a bar with the last close and no volume where there was no trade in between.")
]
Start = Annotated[Time, Query(description="Bars that start at or after this time.")]
End = Annotated[Time, Query(description="Bars that start at or before this time.")]


@router.get(
    "/candles/{exchange}/{symbol:path}/{timeframe}/range", response_model=Candles, summary="The bars between two times"
)
async def between(
    data: TheMarketData,
    exchange: Exchange,
    symbol: SymbolName,
    timeframe: Timeframe,
    start_time: Start,
    end_time: End,
    limit: Annotated[int | None, Query(ge=1, le=MAX_BARS, description="Only the newest so many of them.")] = None,
    fill: Fill = False,
) -> Json:
    """All of them, both times included; 422 beyond 50 000."""
    window = Window(start_time, _just_after(end_time), limit, fill)
    bars = await data.candles(Market(exchange, symbol), timeframe, window)
    return _answer("candles", bars, exchange, symbol, timeframe, start_time=start_time, end_time=end_time, limit=limit)


@router.get("/candles/{exchange}/{symbol:path}/{timeframe}", response_model=Candles, summary="The newest bars")
async def newest(
    data: TheMarketData,
    exchange: Exchange,
    symbol: SymbolName,
    timeframe: Timeframe,
    limit: Annotated[int, Query(ge=1, le=5_000, description="How many.")] = 100,
    fill: Fill = False,
) -> Json:
    """The newest that exist, however many buckets are empty in between."""
    bars = await data.candles(Market(exchange, symbol), timeframe, Window(last=limit, fill=fill))
    return _answer("candles", bars, exchange, symbol, timeframe, limit=limit)


@router.get(
    "/timeseries/{exchange}/{symbol:path}/ohlcv", response_model=Timeseries, summary="Bars for a chart, without gaps"
)
async def timeseries(
    data: TheMarketData,
    exchange: Exchange,
    symbol: SymbolName,
    start_time: Start,
    end_time: End,
    timeframe: Annotated[Timeframe, Query(description="Length of the bars.")] = Timeframe.M1,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Only the newest so many of them.")] = 100,
    fill: Fill = True,
) -> Json:
    """The bars between two times, both included, gaps filled unless `fill` says otherwise."""
    window = Window(start_time, _just_after(end_time), limit, fill)
    bars = await data.candles(Market(exchange, symbol), timeframe, window)
    nulls = {"trades_processed": None, "generation_time_ms": None}
    bounds = {"start_time": start_time, "end_time": end_time, "limit": limit}
    return _answer("ohlcv", bars, exchange, symbol, timeframe, **bounds, **nulls)


def _just_after(time: datetime) -> datetime:
    """The end of a window that includes `time`: windows end before theirs."""
    return min(time, _LATEST) + _INSTANT


def _answer(name: str, bars: CandleColumns, exchange: str, symbol: str, timeframe: Timeframe, **further: Any) -> Json:
    times = bars.bars().json_column("time")
    columns = (times, bars.open, bars.high, bars.low, bars.close, bars.volume)
    rows = [
        {"timestamp": time, "open": open_, "high": high, "low": low, "close": close, "vol": volume}
        for time, open_, high, low, close, volume in zip(*columns, strict=True)
    ]
    return enveloped(name, rows, exchange=exchange, symbol=symbol, timeframe=timeframe, **further)
