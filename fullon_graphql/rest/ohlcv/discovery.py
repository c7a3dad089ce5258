"""What market data there is: exchanges, their instruments, and what is stored of each."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Select, func, select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Worker
from fullon_graphql.errors import NotFound
from fullon_graphql.models import CatExchange, Symbol
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, TheMarketData, WorkerDep
from fullon_graphql.rest.ohlcv.envelope import Envelope, enveloped
from fullon_graphql.rest.parameters import Exchange, Name, PageParams, SymbolName
from fullon_graphql.rest.rows import of_model, one, row_model
from fullon_graphql.services import symbols
from fullon_graphql.services.access import visible

router = APIRouter(prefix="/ohlcv", tags=["ohlcv"])


class Exchanges(Envelope):
    """Names of exchanges."""

    exchanges: list[str]


class Instruments(Envelope):
    """Instruments of one exchange, or those a search has found."""

    exchange: str | None = None
    symbols: list[row_model(Symbol)]  # type: ignore[valid-type]  # made from the table's columns


class ExchangeInfo(BaseModel):
    """One exchange."""

    exchange: str
    cat_ex_id: int
    symbols: int = Field(description="How many instruments are catalogued.")
    timeframes: list[Timeframe] = Field(description="Lengths of bars that can be asked for.")


class ExchangeStatus(BaseModel):
    """How much of an exchange is there."""

    exchange: str
    symbols: int = Field(description="How many instruments are catalogued.")
    stored: int = Field(description="Of how many of them there are candles or trades.")
    status: str = Field(description="`active` where anything is stored, else `empty`.")


class Validity(BaseModel):
    """Whether an exchange is known."""

    exchange: str
    valid: bool


class Stored(BaseModel):
    """One table or view of an instrument."""

    kind: str = Field(description="`trades` or `candles`.")
    timeframe: Timeframe | None = Field(description="Length of the stored candles; null for trades.")
    oldest: AwareDatetime
    newest: AwareDatetime


class Metadata(BaseModel):
    """What is stored of an instrument."""

    exchange: str
    symbol: str
    sources: list[Stored] = Field(description="The best first: that is what bars are made of.")


@router.get("/exchanges", response_model=Exchanges, summary="Which exchanges are there?")
async def exchanges(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """The catalogue's, by name."""
    query = visible(CatExchange, caller).with_only_columns(CatExchange.name).order_by(CatExchange.name)
    names = [row.name for row in await worker.database.rows(page.of(query))]
    total = await _count(worker, visible(CatExchange, caller))
    return enveloped("exchanges", names, limit=page.limit, offset=page.offset, total_available=total)


@router.get("/exchanges/{exchange}/info", response_model=ExchangeInfo, summary="What is this exchange?")
async def exchange_info(worker: WorkerDep, caller: CallerDep, exchange: Exchange) -> Json:
    """Its key, and what can be asked of it."""
    found = await _exchange(worker, caller, exchange)
    count = await _count(worker, symbols.on_exchange(caller, exchange))
    return Json(
        {"exchange": found["name"], "cat_ex_id": found["cat_ex_id"], "symbols": count, "timeframes": list(Timeframe)}
    )


@router.get("/exchanges/{exchange}/status", response_model=ExchangeStatus, summary="How much of it is stored?")
async def exchange_status(worker: WorkerDep, caller: CallerDep, data: TheMarketData, exchange: Exchange) -> Json:
    """How many instruments are catalogued, and of how many there is anything."""
    await _exchange(worker, caller, exchange)
    names = symbols.on_exchange(caller, exchange).with_only_columns(Symbol.symbol)
    markets = [Market(exchange, row.symbol) for row in await worker.database.rows(names)]
    stored = len(await data.stored(markets))
    status = "active" if stored else "empty"
    return Json({"exchange": exchange, "symbols": len(markets), "stored": stored, "status": status})


@router.get("/exchanges/{exchange}/validate", response_model=Validity, summary="Is this exchange known?")
async def validate(worker: WorkerDep, caller: CallerDep, exchange: Exchange) -> Json:
    """Always 200; `valid` tells."""
    found = await worker.database.row(visible(CatExchange, caller).where(CatExchange.name == exchange))
    return Json({"exchange": exchange, "valid": found is not None})


@router.get("/exchanges/{exchange}/symbols", response_model=Instruments, summary="Which instruments has it?")
async def instruments(worker: WorkerDep, caller: CallerDep, exchange: Exchange, page: PageParams) -> Json:
    """The catalogue's, by name."""
    await _exchange(worker, caller, exchange)
    return await _found(worker, symbols.on_exchange(caller, exchange), page, exchange)


@router.get(
    "/exchanges/{exchange}/symbols/{symbol:path}/info", response_model=row_model(Symbol), summary="What is this one?"
)
async def instrument_info(worker: WorkerDep, caller: CallerDep, exchange: Exchange, symbol: SymbolName) -> Json:
    """Its row in the catalogue."""
    return await one(worker, symbols.on_exchange(caller, exchange).where(Symbol.symbol == symbol))


@router.get(
    "/exchanges/{exchange}/symbols/{symbol:path}/metadata", response_model=Metadata, summary="What is stored of it?"
)
async def metadata(data: TheMarketData, exchange: Exchange, symbol: SymbolName) -> Json:
    """Its tables, and from when to when they reach."""
    extents = await data.extents(Market(exchange, symbol))
    sources = [
        {"kind": "candles" if extent.timeframe else "trades", **extent._asdict()}  # a named tuple's documented method
        for extent in extents
    ]
    return Json({"exchange": exchange, "symbol": symbol, "sources": sources})


@router.get("/symbols/search", response_model=Instruments, summary="Which instruments are called like this?")
async def search(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    q: Annotated[Name, Query(description="Any part of the name, in any letter case.", examples=["btc"])],
    exchange: Annotated[Name | None, Query(description="Only those of this exchange.", examples=["kraken"])] = None,
) -> Json:
    """By name."""
    among = symbols.on_exchange(caller, exchange) if exchange else visible(Symbol, caller)
    return await _found(worker, among.where(Symbol.symbol.icontains(q, autoescape=True)), page, exchange)


async def _exchange(worker: Worker, caller: Caller, exchange: str) -> dict[str, Any]:
    found = await worker.database.row(visible(CatExchange, caller).where(CatExchange.name == exchange))
    if found is None:
        raise NotFound(f"There is no exchange {exchange!r}.")
    return dict(found._mapping)  # SQLAlchemy's documented name


async def _found(worker: Worker, query: Select[Any], page: PageParams, exchange: str | None) -> Json:
    rows = await of_model(worker, page.of(query.order_by(Symbol.symbol, Symbol.symbol_id)))
    bounds = {"limit": page.limit, "offset": page.offset, "total_available": await _count(worker, query)}
    return enveloped("symbols", rows, exchange=exchange, **bounds)


async def _count(worker: Worker, query: Select[Any]) -> int:
    [row] = await worker.database.rows(select(func.count()).select_from(query.subquery()))
    return int(row[0])
