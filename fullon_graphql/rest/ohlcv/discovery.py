"""Catalogue of market data: exchanges, their instruments, and the stored data of each."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Select, func, select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Worker
from fullon_graphql.errors import NotFound, shortened
from fullon_graphql.models import CatExchange, Symbol
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, MarketDataDep, WorkerDep
from fullon_graphql.rest.ohlcv.envelope import Envelope, wrap_list
from fullon_graphql.rest.parameters import ExchangeName, Name, PageParams, SymbolName
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import fetch_rows, row_model
from fullon_graphql.services import symbols
from fullon_graphql.services.access import visible

router = RouteList(prefix="/ohlcv", tags=["ohlcv"])


class Exchanges(Envelope):
    """Names of exchanges."""

    exchanges: list[str]


class Instruments(Envelope):
    """Instruments of one exchange, or of a search."""

    exchange: str | None = None
    symbols: list[row_model(Symbol)]  # type: ignore[valid-type]  # made from the table's columns


class Pairs(Envelope):
    """Symbols of every exchange, by its name; `count` is their number."""

    pairs: dict[str, list[str]]


class ExchangeInfo(BaseModel):
    """One exchange."""

    exchange: str
    cat_ex_id: int
    symbols: int = Field(description="Number of instruments in the catalogue.")
    timeframes: list[Timeframe] = Field(description="Available timeframes.")


class ExchangeStatus(BaseModel):
    """How much data of an exchange is stored."""

    exchange: str
    symbols: int = Field(description="Number of instruments in the catalogue.")
    stored: int = Field(description="Number of instruments with stored candles or trades.")
    status: str = Field(description="`active` if any data is stored, else `empty`.")


class Validity(BaseModel):
    """Whether an exchange is in the catalogue."""

    exchange: str
    valid: bool


class Stored(BaseModel):
    """One table or view of an instrument."""

    kind: str = Field(description="`trades` or `candles`.")
    timeframe: Timeframe | None = Field(description="Timeframe of the stored candles; null for trades.")
    oldest: AwareDatetime
    newest: AwareDatetime


class Metadata(BaseModel):
    """Stored data of an instrument."""

    exchange: str
    symbol: str
    sources: list[Stored] = Field(description="Tables and views in order of precedence.")


@router.get("/exchanges", response_model=Exchanges, summary="List exchanges")
async def list_exchanges(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """The catalogue, ordered by name."""
    query = visible(CatExchange, caller).with_only_columns(CatExchange.name).order_by(CatExchange.name)
    names = [row.name for row in await worker.reads(caller).rows(page.apply(query))]
    total = await _count(worker, caller, visible(CatExchange, caller))
    return wrap_list("exchanges", names, limit=page.limit, offset=page.offset, total_available=total)


@router.get("/pairs", response_model=Pairs, summary="List the symbols of every exchange")
async def list_pairs(worker: WorkerDep, caller: CallerDep) -> Json:
    """The catalogue, by exchange and ordered by name."""
    query = (
        visible(CatExchange, caller)
        .outerjoin(Symbol, Symbol.cat_ex_id == CatExchange.cat_ex_id)
        .with_only_columns(CatExchange.name, Symbol.symbol)
        .order_by(CatExchange.name, Symbol.symbol)
    )
    pairs: dict[str, list[str]] = {}
    for row in await worker.reads(caller).rows(query):
        pairs.setdefault(row.name, []).extend([row.symbol] if row.symbol else [])
    return wrap_list("pairs", pairs, count=sum(map(len, pairs.values())))


@router.get("/exchanges/{exchange}/info", response_model=ExchangeInfo, summary="Get an exchange")
async def get_exchange(worker: WorkerDep, caller: CallerDep, exchange: ExchangeName) -> Json:
    """Its key, number of instruments and available timeframes."""
    found = await _exchange(worker, caller, exchange)
    count = await _count(worker, caller, symbols.on_exchange(caller, exchange))
    return Json(
        {"exchange": found["name"], "cat_ex_id": found["cat_ex_id"], "symbols": count, "timeframes": list(Timeframe)}
    )


@router.get(
    "/exchanges/{exchange}/status", response_model=ExchangeStatus, summary="Get the storage status of an exchange"
)
async def get_exchange_status(
    worker: WorkerDep, caller: CallerDep, data: MarketDataDep, exchange: ExchangeName
) -> Json:
    """Number of instruments in the catalogue, and of those with stored data."""
    await _exchange(worker, caller, exchange)
    names = symbols.on_exchange(caller, exchange).with_only_columns(Symbol.symbol)
    markets = [Market(exchange, row.symbol) for row in await worker.reads(caller).rows(names)]
    stored = len(await data.stored(markets))
    status = "active" if stored else "empty"
    return Json({"exchange": exchange, "symbols": len(markets), "stored": stored, "status": status})


@router.get("/exchanges/{exchange}/validate", response_model=Validity, summary="Check the name of an exchange")
async def validate_exchange(worker: WorkerDep, caller: CallerDep, exchange: ExchangeName) -> Json:
    """Always 200; `valid` is true for an exchange of the catalogue."""
    found = await worker.reads(caller).row(visible(CatExchange, caller).where(CatExchange.name == exchange))
    return Json({"exchange": exchange, "valid": found is not None})


@router.get("/exchanges/{exchange}/symbols", response_model=Instruments, summary="List the instruments of an exchange")
async def list_instruments(worker: WorkerDep, caller: CallerDep, exchange: ExchangeName, page: PageParams) -> Json:
    """The catalogue, ordered by name."""
    await _exchange(worker, caller, exchange)
    return await _list_symbols(worker, caller, symbols.on_exchange(caller, exchange), page, exchange)


@router.get(
    "/exchanges/{exchange}/symbols/{symbol:path}/info", response_model=row_model(Symbol), summary="Get an instrument"
)
async def get_instrument(worker: WorkerDep, caller: CallerDep, exchange: ExchangeName, symbol: SymbolName) -> Json:
    """The row of the catalogue."""
    found = await fetch_rows(
        worker, caller, symbols.on_exchange(caller, exchange).where(Symbol.symbol == symbol).limit(1)
    )
    if not found:
        raise NotFound("There is no such Symbol.")
    return Json(found[0])


@router.get(
    "/exchanges/{exchange}/symbols/{symbol:path}/metadata",
    response_model=Metadata,
    summary="Get the stored data of an instrument",
)
async def get_instrument_metadata(data: MarketDataDep, exchange: ExchangeName, symbol: SymbolName) -> Json:
    """Its tables and views, and the period that each covers."""
    extents = await data.extents(Market(exchange, symbol))
    sources = [
        {"kind": "candles" if extent.timeframe else "trades", **extent._asdict()}  # a named tuple's documented method
        for extent in extents
    ]
    return Json({"exchange": exchange, "symbol": symbol, "sources": sources})


@router.get("/symbols/search", response_model=Instruments, summary="Search instruments")
async def search_instruments(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    q: Annotated[Name, Query(description="Any part of the name, in any letter case.", examples=["btc"])],
    exchange: Annotated[
        Name | None, Query(description="Only instruments of this exchange.", examples=["kraken"])
    ] = None,
) -> Json:
    """Ordered by name."""
    among = symbols.on_exchange(caller, exchange) if exchange else visible(Symbol, caller)
    return await _list_symbols(worker, caller, among.where(Symbol.symbol.icontains(q, autoescape=True)), page, exchange)


async def _exchange(worker: Worker, caller: Caller, exchange: str) -> dict[str, Any]:
    found = await worker.reads(caller).row(visible(CatExchange, caller).where(CatExchange.name == exchange))
    if found is None:
        raise NotFound(f"No exchange is named {shortened(exchange)}.")
    return dict(found._mapping)  # SQLAlchemy's documented name


async def _list_symbols(
    worker: Worker, caller: Caller, query: Select[Any], page: PageParams, exchange: str | None
) -> Json:
    rows = await fetch_rows(worker, caller, page.apply(query.order_by(Symbol.symbol, Symbol.symbol_id)))
    bounds = {"limit": page.limit, "offset": page.offset, "total_available": await _count(worker, caller, query)}
    return wrap_list("symbols", rows, exchange=exchange, **bounds)


async def _count(worker: Worker, caller: Caller, query: Select[Any]) -> int:
    [row] = await worker.reads(caller).rows(select(func.count()).select_from(query.subquery()))
    return int(row[0])
