"""Live tickers over REST, read-only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.errors import NotFound, shortened
from fullon_graphql.models import CatExchange
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.parameters import ExchangeName, SymbolName
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.services import tickers
from fullon_graphql.services.access import visible
from fullon_graphql.services.symbols import find_spelling, spellings

router = RouteList(prefix="/cache/tickers", tags=["cache"])
by_exchange = RouteList(prefix="/cache", tags=["cache"])

ACTIVE_SECONDS: Final = 60
"""An older ticker is not active."""


class Prices(BaseModel):
    """Prices of a ticker in quote currency; `volume` is in base currency."""

    price: float
    bid: float | None
    ask: float | None
    last: float | None
    volume: float | None
    change: float | None
    percentage: float | None
    time: float = Field(description="Time of the ticker, in unix seconds.")


class CachedTicker(BaseModel):
    """The newest ticker of one instrument."""

    exchange: str
    symbol: str
    ticker: Prices
    cached_at: AwareDatetime = Field(description="Time of the ticker.")
    cache_hit: bool = Field(description="Always true: a missing ticker is 404.")


class CachedTickers(BaseModel):
    """The newest tickers of one exchange, by symbol."""

    exchange: str
    count: int
    tickers: list[CachedTicker]


class Freshness(BaseModel):
    """Age of an exchange's tickers."""

    tickers: int = Field(description="Number of tickers.")
    newest: AwareDatetime | None = Field(description="Time of the newest ticker.")


@router.get("/health", response_model=dict[str, Freshness], summary="Get the age of tickers by exchange")
async def get_ticker_health(worker: WorkerDep, caller: CallerDep) -> Json:
    """Every exchange of the catalogue."""
    query = visible(CatExchange, caller).with_only_columns(CatExchange.name).order_by(CatExchange.name)
    names = [row.name for row in await worker.reads(caller).rows(query)]
    found = await tickers.of_exchanges(worker.redis, caller, names) if names else []
    return Json({name: _freshness(known) for name, known in zip(names, found, strict=True)})


@by_exchange.get(
    "/{exchange}/tickers/active", response_model=CachedTickers, summary="List active tickers (second path)"
)
@router.get("/{exchange}/active", response_model=CachedTickers, summary="List the active tickers of an exchange")
async def list_active_tickers(worker: WorkerDep, caller: CallerDep, exchange: ExchangeName) -> Json:
    """Tickers that are younger than 60 seconds, ordered by symbol. 404 for an exchange that is not in the catalogue."""
    if await worker.reads(caller).row(visible(CatExchange, caller).where(CatExchange.name == exchange)) is None:
        raise NotFound(f"No exchange is named {shortened(exchange)}.")
    found = [
        ticker
        for ticker in await tickers.of_exchange(worker.redis, caller, exchange)
        if ticker.age_ms() < 1_000 * ACTIVE_SECONDS
    ]
    return Json({"exchange": exchange, "count": len(found), "tickers": [_as_json(ticker) for ticker in found]})


@router.get("/{exchange}", response_model=CachedTickers, summary="List the tickers of an exchange")
async def list_tickers(worker: WorkerDep, caller: CallerDep, exchange: ExchangeName) -> Json:
    """Ordered by symbol; empty for an exchange without tickers."""
    found = await tickers.of_exchange(worker.redis, caller, exchange)
    return Json({"exchange": exchange, "count": len(found), "tickers": [_as_json(ticker) for ticker in found]})


@router.get("/{exchange}/{symbol:path}", response_model=CachedTicker, summary="Get the ticker of an instrument")
async def get_ticker(worker: WorkerDep, caller: CallerDep, exchange: ExchangeName, symbol: SymbolName) -> Json:
    """The newest ticker. `BTC-USD` means `BTC/USD` if there is no `BTC-USD`."""
    found = await tickers.of_exchange(worker.redis, caller, exchange, spellings(symbol))
    by_symbol = {ticker.symbol: ticker for ticker in found}
    name = await find_spelling(worker.reads(caller), caller, symbol, exchange=exchange, known=by_symbol)
    if name not in by_symbol:
        raise NotFound(f"No ticker of {shortened(name)} on {shortened(exchange)}.")
    return Json(_as_json(by_symbol[name]))


def _as_json(ticker: Ticker) -> dict[str, Any]:
    names = ("price", "bid", "ask", "last", "volume", "change", "percentage", "time")
    return {
        "exchange": ticker.exchange,
        "symbol": ticker.symbol,
        "ticker": {name: getattr(ticker, name) for name in names},
        "cached_at": _time(ticker),
        "cache_hit": True,
    }


def _freshness(known: list[Ticker]) -> dict[str, Any]:
    return {"tickers": len(known), "newest": max(map(_time, known), default=None)}


def _time(ticker: Ticker) -> datetime:
    return datetime.fromtimestamp(ticker.time, UTC)
