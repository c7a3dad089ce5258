"""Live tickers over REST: read, never written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.errors import NotFound
from fullon_graphql.models import CatExchange
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.parameters import Exchange, SymbolName
from fullon_graphql.services import tickers
from fullon_graphql.services.access import visible

cache = APIRouter(prefix="/cache/tickers", tags=["cache"])


class Prices(BaseModel):
    """What the exchange said. `volume` is in base currency, everything else in quote currency."""

    price: float
    bid: float | None
    ask: float | None
    last: float | None
    volume: float | None
    change: float | None
    percentage: float | None
    time: float = Field(description="When it said so, in unix seconds.")


class CachedTicker(BaseModel):
    """The newest ticker of one instrument."""

    exchange: str
    symbol: str
    ticker: Prices
    cached_at: AwareDatetime = Field(description="When the exchange said so.")
    cache_hit: bool = Field(description="Always true: what is not there is answered 404.")


class CachedTickers(BaseModel):
    """The newest tickers of one exchange, by symbol."""

    exchange: str
    count: int
    tickers: list[CachedTicker]


class Freshness(BaseModel):
    """How live an exchange's tickers are."""

    tickers: int = Field(description="How many there are.")
    newest: AwareDatetime | None = Field(description="When the last one came.")


@cache.get("/health", response_model=dict[str, Freshness], summary="How live are the prices?")
async def health(worker: WorkerDep, caller: CallerDep) -> Json:
    """By exchange, of all that the catalogue names."""
    query = visible(CatExchange, caller).with_only_columns(CatExchange.name).order_by(CatExchange.name)
    names = [row.name for row in await worker.database.rows(query)]
    found = await tickers.of_exchanges(worker.redis, caller, names) if names else []
    return Json({name: _freshness(known) for name, known in zip(names, found, strict=True)})


@cache.get("/{exchange}", response_model=CachedTickers, summary="All tickers of an exchange")
async def of_exchange(worker: WorkerDep, caller: CallerDep, exchange: Exchange) -> Json:
    """By symbol; none where nothing has been heard of it."""
    found = await tickers.of_exchange(worker.redis, caller, exchange)
    return Json({"exchange": exchange, "count": len(found), "tickers": [_as_json(ticker) for ticker in found]})


@cache.get("/{exchange}/{symbol:path}", response_model=CachedTicker, summary="The ticker of an instrument")
async def of_instrument(worker: WorkerDep, caller: CallerDep, exchange: Exchange, symbol: SymbolName) -> Json:
    """The newest. `BTC-USD` finds `BTC/USD` where there is no `BTC-USD`."""
    spellings = [symbol, symbol.replace("-", "/", 1)]
    found = await tickers.of_exchange(worker.redis, caller, exchange, spellings)
    if not found:
        raise NotFound(f"There is no ticker of {symbol!r} on {exchange!r}.")
    return Json(_as_json(found[0]))


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
