"""Orders over REST."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Select, func

from fullon_graphql.context import Worker
from fullon_graphql.models import Bot, Order
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.orm.changes import TheChanges, as_arguments, given
from fullon_graphql.rest.orm.scopes import TheScope
from fullon_graphql.rest.parameters import Key, Name, Page, PageParams, Time
from fullon_graphql.rest.rows import found, listed, one, row_model, rows_of
from fullon_graphql.services import bots, orders
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics import order_statistics
from fullon_graphql.services.analytics.order_statistics import OrderStatistics
from fullon_graphql.services.order_status import is_open
from fullon_graphql.services.writing.executor import UnitOfWork

orm = APIRouter(prefix="/orm/orders", tags=["orders"])

Row = row_model(Order)

OfBot = Annotated[Key | None, Query(description="Only those of this bot.")]


@orm.get("", response_model=rows_of(Row), summary="All orders one may see")
async def everything(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """Newest first."""
    return await _listed(worker, visible(Order, caller), page)


@orm.get("/by-bot", response_model=rows_of(Row), summary="The orders of a bot")
async def by_bot(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    bot_id: Annotated[Key, Query(description="Key of the bot.")],
    status: Annotated[Name | None, Query(description="Only those with this status, in any letter case.")] = None,
) -> Json:
    """Newest first."""
    await found(worker, visible(Bot, caller).where(Bot.bot_id == bot_id))
    query = visible(Order, caller).where(Order.bot_id == bot_id)
    return await _listed(worker, query.where(func.lower(Order.status) == status.lower()) if status else query, page)


@orm.get("/open", response_model=rows_of(Row), summary="The orders that something may still happen to")
async def still_open(worker: WorkerDep, caller: CallerDep, page: PageParams, bot_id: OfBot = None) -> Json:
    """Newest first: all that are not filled, cancelled or rejected."""
    query = visible(Order, caller).where(is_open())
    return await _listed(worker, _of_bot(query, bot_id), page)


@orm.get("/history", response_model=rows_of(Row), summary="The orders of a time")
async def history(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    bot_id: OfBot = None,
    start_date: Annotated[Time | None, Query(description="Only those made at or after this time.")] = None,
    end_date: Annotated[Time | None, Query(description="Only those made at or before this time.")] = None,
) -> Json:
    """Newest first."""
    query = _of_bot(visible(Order, caller), bot_id)
    query = query.where(Order.timestamp >= start_date) if start_date else query
    return await _listed(worker, query.where(Order.timestamp <= end_date) if end_date else query, page)


@orm.get("/by-symbol", response_model=rows_of(Row), summary="The orders of an instrument")
async def by_symbol(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    symbol: Annotated[Name, Query(description="As the exchange spells it, percent-encoded.", examples=["BTC/USD"])],
    bot_id: OfBot = None,
) -> Json:
    """Newest first."""
    return await _listed(worker, _of_bot(visible(Order, caller).where(Order.symbol == symbol), bot_id), page)


@orm.get("/stats", response_model=OrderStatistics, summary="What became of orders")
async def statistics(worker: WorkerDep, caller: CallerDep, scope: TheScope) -> Json:
    """How many there are, by side and status."""
    return Json(await order_statistics.of_orders(worker.database, caller, scope))


@orm.get("/{order_id}", response_model=Row, summary="One order")
async def order(worker: WorkerDep, caller: CallerDep, order_id: Key) -> Json:
    """Its row."""
    return await one(worker, visible(Order, caller).where(Order.order_id == order_id))


class NewOrder(BaseModel):
    """An order to be stored, for the platform's daemons to place."""

    bot_id: Key
    symbol: str = Field(max_length=20, examples=["BTC/USD"])
    side: str = Field(description="`buy` or `sell`.", examples=["buy"])
    order_type: str = Field(description="`market`, `limit`, `stop` or `stop_limit`.", examples=["market"])
    volume: float = Field(description="In base currency.", examples=[0.5])
    price: float | None = Field(None, description="In quote currency, where the type of order needs one.")
    plimit: float | None = Field(None, description="Limit price of a stop order.")
    reason: str = Field("", max_length=35)
    ex_id: Key | None = Field(None, description="The account; not needed where the bot has only one.")
    cat_ex_id: Key | None = Field(None, description="The exchange, where the bot has one account on each.")
    status: str | None = Field(None, description="`New` unless given.", examples=["New"])


class Status(BaseModel):
    """What an order has become."""

    status: str = Field(examples=["canceled"])


@orm.post("", response_model=Row, status_code=201, summary="Store an order")
async def create(changes: TheChanges, order: NewOrder) -> Json:
    """The new row; owner and exchange follow from bot and account."""

    async def made(write: UnitOfWork) -> int:
        ex_id = order.ex_id
        if ex_id is None:
            ex_id = await bots.account_on(write, order.bot_id, order.cat_ex_id)
        values = given(order, "cat_ex_id", "status", "ex_id")
        order_id = await orders.create(write, values | {"ex_id": ex_id})
        return await orders.set_status(write, order_id, order.status) if order.status else order_id

    return await changes.row("createOrder", as_arguments(order), made, Order, status=201)


@orm.patch("/{order_id}/status", response_model=Row, summary="Say what has become of an order")
async def set_status(changes: TheChanges, order_id: Key, new: Status) -> Json:
    """The row as it is now; 409 where there is no way from its status to the other."""
    return await changes.row(
        "updateOrderStatus",
        {"order_id": order_id} | as_arguments(new),
        lambda write: orders.set_status(write, order_id, new.status),
        Order,
    )


async def _listed(worker: Worker, query: Select[Any], page: Page) -> Json:
    return await listed(worker, query, page, Order.order_id.desc())


def _of_bot(query: Select[Any], bot_id: int | None) -> Select[Any]:
    return query if bot_id is None else query.where(Order.bot_id == bot_id)
