"""Queues of trades over all instruments, over REST. Reading does not consume them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Path
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import or_, select

from fullon_graphql.auth.principal import Principal
from fullon_graphql.cache import keys, market
from fullon_graphql.cache.market import QueueSize
from fullon_graphql.context import Worker
from fullon_graphql.errors import NotFound, shortened
from fullon_graphql.models import CatExchange, Exchange, Symbol, Trade
from fullon_graphql.observability.read_meter import TRADE_QUEUES
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.cache.accounts import accounts_of_user
from fullon_graphql.rest.cache.figures import QueueFigures, ReadFigures, queue_figures, read_figures
from fullon_graphql.rest.dependencies import CandlesDep, WorkerDep
from fullon_graphql.rest.parameters import MAX_KEY, Name, PageParams
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import fetch_rows
from fullon_graphql.services.access import visible

router = RouteList(prefix="/cache/trades", tags=["cache"])

_EXCHANGE: Final = (
    select(CatExchange.name)
    .join(Exchange, Exchange.cat_ex_id == CatExchange.cat_ex_id)
    .where(Exchange.ex_id == Trade.ex_id)
    .scalar_subquery()
    .label("exchange")
)


class InstrumentQueue(BaseModel):
    """Queue of the public trades of one instrument."""

    queue_name: str
    exchange: str
    symbol: str = Field(description="As in the catalogue; without its slash, as in Redis, if it is not there.")
    size: int
    last_pushed: AwareDatetime | None = Field(description="Time of the last trade of the exchange, on any symbol.")


class TotalSize(BaseModel):
    """Total size of the queues of all instruments."""

    queue_name: Literal["trades"]
    size: int


class TradeQueues(TotalSize, QueueFigures):
    """Total size, figures of all queues together, and each queue that is not empty."""

    queues: list[InstrumentQueue]


class TradeMetrics(TotalSize, QueueFigures, ReadFigures):
    """Figures of all queues together, and of the reads of single queues by this process."""


class TradeStatus(BaseModel):
    """State of one trade."""

    trade_id: int | None = Field(description="Its key; null until it is stored.")
    ex_trade_id: str | None
    exchange: str | None
    symbol: str | None
    status: Literal["stored", "queued"] = Field(
        description="`queued` if it waits in the queue of the caller for the platform's programs."
    )
    time: AwareDatetime | None = Field(description="Time of the trade; null until it is stored.")


@router.get("/queue/size", response_model=TotalSize, summary="Get the total size of the trade queues")
async def get_trade_queue_size(worker: WorkerDep, _signed_in: CandlesDep) -> Json:
    """Queues of all instruments."""
    return Json(_total(await _read(worker)))


@router.get("/queue/status", response_model=TradeQueues, summary="Get the state of the trade queues")
async def get_trade_queue_status(worker: WorkerDep, principal: CandlesDep) -> Json:
    """Queues of all instruments, with figures that this process has measured."""
    sizes = await _read(worker)
    queues = await _queues(worker, principal, sizes)
    return Json(_total(sizes) | queue_figures(worker.trade_queues, worker.trade_queues.names) | {"queues": queues})


@router.get("/queue", response_model=list[InstrumentQueue], summary="List the trade queues")
async def list_trade_queues(worker: WorkerDep, principal: CandlesDep, page: PageParams) -> Json:
    """Those that are not empty, ordered by exchange and symbol."""
    queues = await _queues(worker, principal, await _read(worker))
    return Json(queues[page.offset : page.offset + page.limit])


@router.get("/performance/metrics", response_model=TradeMetrics, summary="Get figures of the trade queues")
async def get_trade_queue_metrics(worker: WorkerDep, _signed_in: CandlesDep) -> Json:
    """Measured by this process since its start."""
    sizes = await _read(worker)
    figures = queue_figures(worker.trade_queues, worker.trade_queues.names)
    return Json(_total(sizes) | figures | read_figures(TRADE_QUEUES))


@router.get("/{trade_id}/status", response_model=TradeStatus, summary="Get the state of a trade")
async def get_trade_status(
    worker: WorkerDep,
    principal: CandlesDep,
    trade_id: Annotated[Name, Path(description="`trade_id`, or the exchange's id of the trade.", examples=["1"])],
) -> Json:
    """A live trade that the caller may see, or one in the caller's own queues."""
    found = await _stored(worker, principal, trade_id) or await _queued(worker, principal, trade_id)
    if found is None:
        raise NotFound(f"There is no trade {shortened(trade_id)}.")
    return Json(found)


async def _read(worker: Worker) -> list[QueueSize]:
    """The sizes of all queues, which the meter compares with those before."""
    sizes = await market.read_queue_sizes(worker.redis)
    worker.trade_queues.observe({_name(queue): queue.size for queue in sizes})
    return sizes


def _name(queue: QueueSize) -> str:
    return keys.trades(queue.exchange, queue.symbol)


def _total(sizes: list[QueueSize]) -> dict[str, Any]:
    return {"queue_name": keys.TRADES, "size": sum(queue.size for queue in sizes)}


async def _queues(worker: Worker, principal: Principal, sizes: list[QueueSize]) -> list[dict[str, Any]]:
    query = (
        visible(Symbol, principal)
        .join(CatExchange, CatExchange.cat_ex_id == Symbol.cat_ex_id)
        .where(CatExchange.name.in_({queue.exchange for queue in sizes}))
        .with_only_columns(CatExchange.name, Symbol.symbol)
    )
    names = {keys.trades(row.name, row.symbol): row.symbol for row in await worker.reads(principal).rows(query)}
    return [
        {
            "queue_name": _name(queue),
            "exchange": queue.exchange,
            "symbol": names.get(_name(queue), queue.symbol),
            "size": queue.size,
            "last_pushed": queue.last_pushed,
        }
        for queue in sizes
    ]


async def _stored(worker: Worker, principal: Principal, trade_id: str) -> dict[str, Any] | None:
    """The trade with this key, else the newest one with this id of an exchange."""
    key = int(trade_id) if trade_id.isascii() and trade_id.isdecimal() and int(trade_id) <= MAX_KEY else None
    query = visible(Trade, principal).where(or_(Trade.trade_id == key, Trade.ex_trade_id == trade_id))
    rows = await fetch_rows(
        worker, principal, query.order_by((Trade.trade_id == key).desc(), Trade.trade_id.desc()).limit(1), (_EXCHANGE,)
    )
    names = TradeStatus.model_fields.keys() - {"status"}
    return {name: rows[0][name] for name in names} | {"status": "stored"} if rows else None


async def _queued(worker: Worker, principal: Principal, trade_id: str) -> dict[str, Any] | None:
    owned = await accounts_of_user(worker, principal, principal.uid)
    exchanges = sorted({account["exchange"] for account in owned.values()})
    for exchange, trade in await market.read_user_trades(worker.redis, principal.uid, exchanges) if exchanges else ():
        if isinstance(trade, dict) and trade_id in {str(trade.get("ex_trade_id")), str(trade.get("trade_id"))}:
            symbol = trade.get("symbol")
            return {
                "trade_id": None,
                "ex_trade_id": trade_id,
                "exchange": exchange,
                "symbol": symbol if isinstance(symbol, str) else None,
                "status": "queued",
                "time": None,
            }
    return None
