"""Candles over REST, on the platform's paths."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.convertors import StringConvertor, register_url_convertor

from fullon_graphql.errors import Conflict, shortened
from fullon_graphql.ohlcv.candles import CandleColumns, iso_times
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import MAX_BARS, Window
from fullon_graphql.rest.answers import Error, Json
from fullon_graphql.rest.dependencies import CallerDep, MarketDataDep, WorkerDep
from fullon_graphql.rest.ohlcv.envelope import Envelope, wrap_list
from fullon_graphql.rest.parameters import ExchangeName, SymbolName, Time
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.services import symbols
from fullon_graphql.services.candles import MarketData

router = RouteList(prefix="/ohlcv", tags=["ohlcv"])

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
    """Bars in ascending order, under the platform's name for charts."""

    exchange: str
    symbol: str
    timeframe: Timeframe
    ohlcv: list[Bar]
    trades_processed: int | None = Field(None, description="Always null, as on the platform.")
    generation_time_ms: float | None = Field(None, description="Always null, as on the platform.")


class _TimeframeSegment(StringConvertor):
    """A path segment that looks like a timeframe, so that the last part of a symbol is not taken for one."""

    regex = "[0-9]+[A-Za-z]+"


register_url_convertor("timeframe", _TimeframeSegment())

Newest = Annotated[int, Query(ge=1, le=5_000, description="Maximum number of bars.")]
OfTimeframe = Annotated[Timeframe, Query(description="Length of the bars.")]
Fill = Annotated[bool, Query(description="Fill empty buckets with a bar of the last close and volume 0.")]
Start = Annotated[Time, Query(description="Bars that start at or after this time.")]
End = Annotated[Time, Query(description="Bars that start at or before this time.")]


@router.get(
    "/candles/{exchange}/{symbol:path}/{timeframe}/range", response_model=Candles, summary="List candles of a period"
)
async def list_candles_between(
    data: MarketDataDep,
    exchange: ExchangeName,
    symbol: SymbolName,
    timeframe: Timeframe,
    start_time: Start,
    end_time: End,
    limit: Annotated[int | None, Query(ge=1, le=MAX_BARS, description="Only the newest so many bars.")] = None,
    fill: Fill = False,
) -> Json:
    """Bars that start within the period, both ends included; 422 if there are more than 50 000."""
    window = Window(start_time, _just_after(end_time), limit, fill)
    bars = await data.candles(Market(exchange, symbol), timeframe, window)
    return _response(
        "candles", bars, exchange, symbol, timeframe, start_time=start_time, end_time=end_time, limit=limit
    )


@router.get(
    "/candles/{exchange}/{symbol:path}/{timeframe:timeframe}",
    response_model=Candles,
    summary="List the newest candles",
)
async def list_newest_candles(
    data: MarketDataDep,
    exchange: ExchangeName,
    symbol: SymbolName,
    timeframe: Timeframe,
    requested: Annotated[Timeframe | None, Query(alias="timeframe", include_in_schema=False)] = None,
    limit: Newest = 100,
    fill: Fill = False,
) -> Json:
    """The newest existing bars; empty buckets do not count."""
    if requested is not None:  # a request to the path below, for a symbol whose last part looks like a timeframe
        symbol, timeframe = f"{symbol}/{timeframe}", requested
    return await _newest(data, Market(exchange, symbol), timeframe, limit, fill=fill)


@router.get(
    "/candles/{exchange}/{symbol:path}", response_model=Candles, summary="List the newest candles (second path)"
)
async def list_newest_candles_of_query(
    data: MarketDataDep,
    exchange: ExchangeName,
    symbol: SymbolName,
    timeframe: OfTimeframe = Timeframe.M1,
    limit: Newest = 100,
    fill: Fill = False,
) -> Json:
    """The newest existing bars, with the timeframe in the query."""
    return await _newest(data, Market(exchange, symbol), timeframe, limit, fill=fill)


@router.get("/ohlcv", response_model=Candles, summary="List the newest candles (third path)")
async def list_newest_candles_of_instrument(
    data: MarketDataDep,
    worker: WorkerDep,
    caller: CallerDep,
    exchange: Annotated[ExchangeName, Query()],
    symbol: Annotated[SymbolName, Query()],
    timeframe: OfTimeframe = Timeframe.M1,
    limit: Newest = 100,
    fill: Fill = False,
) -> Json:
    """The newest existing bars. `BTC-USD` means `BTC/USD` if there is no `BTC-USD`."""
    name = await symbols.find_spelling(worker.reads(caller), caller, symbol, exchange=exchange)
    return await _newest(data, Market(exchange, name), timeframe, limit, fill=fill)


@router.get(
    "/ohlcv/{symbol:path}",
    response_model=Candles,
    summary="List the newest candles of a symbol",
    responses={409: {"model": Error, "description": "Several exchanges have the symbol; the message lists them."}},
)
async def list_newest_candles_of_symbol(
    data: MarketDataDep,
    worker: WorkerDep,
    caller: CallerDep,
    symbol: SymbolName,
    timeframe: OfTimeframe = Timeframe.M1,
    limit: Newest = 100,
    fill: Fill = False,
) -> Json:
    """The newest existing bars of the only exchange that has the symbol; `BTC-USD` as in the path before."""
    name, exchanges = await symbols.exchanges_of(worker.reads(caller), caller, symbol)
    if len(exchanges) > 1:
        raise Conflict(f"{shortened(name)} is on {', '.join(exchanges)}: use /ohlcv/ohlcv with `exchange`.")
    return await _newest(data, Market(exchanges[0], name), timeframe, limit, fill=fill)


@router.get("/timeseries/{exchange}/{symbol:path}/ohlcv", response_model=Timeseries, summary="List candles for a chart")
async def list_timeseries(
    data: MarketDataDep,
    exchange: ExchangeName,
    symbol: SymbolName,
    start_time: Start,
    end_time: End,
    timeframe: OfTimeframe = Timeframe.M1,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Only the newest so many bars.")] = 100,
    fill: Fill = True,
) -> Json:
    """Bars that start within the period, both ends included; gaps are filled by default."""
    window = Window(start_time, _just_after(end_time), limit, fill)
    bars = await data.candles(Market(exchange, symbol), timeframe, window)
    nulls = {"trades_processed": None, "generation_time_ms": None}
    bounds = {"start_time": start_time, "end_time": end_time, "limit": limit}
    return _response("ohlcv", bars, exchange, symbol, timeframe, **bounds, **nulls)


async def _newest(data: MarketData, market: Market, timeframe: Timeframe, limit: int, *, fill: bool) -> Json:
    bars = await data.candles(market, timeframe, Window(last=limit, fill=fill))
    return _response("candles", bars, market.exchange, market.symbol, timeframe, limit=limit)


def _just_after(time: datetime) -> datetime:
    """The exclusive end of a window that includes `time`."""
    return min(time, _LATEST) + _INSTANT


def _response(name: str, bars: CandleColumns, exchange: str, symbol: str, timeframe: Timeframe, **extra: Any) -> Json:
    columns = (iso_times(bars.time), bars.open, bars.high, bars.low, bars.close, bars.volume)
    rows = [
        {"timestamp": time, "open": open_, "high": high, "low": low, "close": close, "vol": volume}
        for time, open_, high, low, close, volume in zip(*columns, strict=True)
    ]
    return wrap_list(name, rows, exchange=exchange, symbol=symbol, timeframe=timeframe, **extra)
