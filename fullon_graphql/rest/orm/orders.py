"""Orders over REST."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import Select, func

from fullon_graphql.auth.principal import Caller
from fullon_graphql.context import Worker
from fullon_graphql.models import Bot, Order
from fullon_graphql.models.order_status import is_open
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.orm.changes import ChangesDep, as_arguments, given
from fullon_graphql.rest.orm.scopes import ScopeDep
from fullon_graphql.rest.parameters import Key, Name, Page, PageParams, Time
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import find_row, get_row, list_of, list_query, list_rows, row_model
from fullon_graphql.services import bots, orders
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics import order_statistics
from fullon_graphql.services.analytics.order_statistics import OrderStatistics
from fullon_graphql.services.writing.executor import UnitOfWork

router = RouteList(prefix="/orm/orders", tags=["orders"])

Row = row_model(Order)

OfBot = Annotated[Key | None, Query(description="Only orders of this bot.")]


@router.get("", response_model=list_of(Row), summary="List orders")
async def list_orders(worker: WorkerDep, caller: CallerDep, page: PageParams) -> Json:
    """Newest first."""
    return await list_rows(worker, caller, Order, page, newest_first=True)


@router.get("/by-bot", response_model=list_of(Row), summary="List the orders of a bot")
async def list_orders_of_bot(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    bot_id: Annotated[Key, Query(description="Key of the bot.")],
    status: Annotated[Name | None, Query(description="Only orders with this status, in any letter case.")] = None,
) -> Json:
    """Newest first."""
    await find_row(worker, caller, Bot, bot_id=bot_id)
    query = visible(Order, caller).where(Order.bot_id == bot_id)
    return await _newest_first(
        worker, caller, query.where(func.lower(Order.status) == status.lower()) if status else query, page
    )


@router.get("/open", response_model=list_of(Row), summary="List open orders")
async def list_open_orders(worker: WorkerDep, caller: CallerDep, page: PageParams, bot_id: OfBot = None) -> Json:
    """Orders that are not filled, cancelled or rejected, newest first."""
    query = visible(Order, caller).where(is_open())
    return await _newest_first(worker, caller, _of_bot(query, bot_id), page)


@router.get("/history", response_model=list_of(Row), summary="List the orders of a period")
async def list_order_history(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    bot_id: OfBot = None,
    start_date: Annotated[Time | None, Query(description="Only orders made at or after this time.")] = None,
    end_date: Annotated[Time | None, Query(description="Only orders made at or before this time.")] = None,
) -> Json:
    """Newest first."""
    query = _of_bot(visible(Order, caller), bot_id)
    query = query.where(Order.timestamp >= start_date) if start_date else query
    return await _newest_first(worker, caller, query.where(Order.timestamp <= end_date) if end_date else query, page)


@router.get("/by-symbol", response_model=list_of(Row), summary="List the orders of an instrument")
async def list_orders_of_symbol(
    worker: WorkerDep,
    caller: CallerDep,
    page: PageParams,
    symbol: Annotated[
        Name, Query(description="Symbol in the exchange's spelling, percent-encoded.", examples=["BTC/USD"])
    ],
    bot_id: OfBot = None,
) -> Json:
    """Newest first."""
    of_bot: dict[str, Any] = {} if bot_id is None else {"bot_id": bot_id}
    return await list_rows(worker, caller, Order, page, newest_first=True, symbol=symbol, **of_bot)


@router.get("/stats", response_model=OrderStatistics, summary="Get statistics of orders")
async def get_order_statistics(worker: WorkerDep, caller: CallerDep, scope: ScopeDep) -> Json:
    """Counts by side and status."""
    return Json(await order_statistics.of_orders(worker.reads(caller), caller, scope))


@router.get("/{order_id}", response_model=Row, summary="Get an order")
async def get_order(worker: WorkerDep, caller: CallerDep, order_id: Key) -> Json:
    """The row."""
    return await get_row(worker, caller, Order, order_id=order_id)


class NewOrder(BaseModel):
    """Input for a new order, which the platform's daemons place on the exchange."""

    bot_id: Key
    symbol: str = Field(max_length=20, examples=["BTC/USD"])
    side: str = Field(description="`buy` or `sell`.", examples=["buy"])
    order_type: str = Field(description="`market`, `limit`, `stop` or `stop_limit`.", examples=["market"])
    volume: float = Field(description="In base currency.", examples=[0.5])
    price: float | None = Field(None, description="In quote currency; required by limit and stop orders.")
    plimit: float | None = Field(None, description="Limit price of a stop order.")
    reason: str = Field("", max_length=35)
    ex_id: Key | None = Field(None, description="The account; optional if the bot has only one.")
    cat_ex_id: Key | None = Field(
        None, description="The exchange, instead of `ex_id`, if the bot has one account on it."
    )
    status: str | None = Field(None, description="`New` by default.", examples=["New"])


class Status(BaseModel):
    """The new status of an order."""

    status: str = Field(examples=["canceled"])


class OrderChanges(Status, extra="forbid"):
    """Changes of an order: only its status can be changed, other fields are rejected."""


@router.post("", response_model=Row, status_code=201, summary="Create an order")
async def create_order(changes: ChangesDep, order: NewOrder) -> Json:
    """The new row; the owner and the exchange follow from the bot and the account."""

    async def create(write: UnitOfWork) -> int:
        ex_id = order.ex_id
        if ex_id is None:
            ex_id = await bots.account_on(write, order.bot_id, order.cat_ex_id)
        values = given(order, "cat_ex_id", "status", "ex_id")
        order_id = await orders.create(write, values | {"ex_id": ex_id})
        return await orders.set_status(write, order_id, order.status) if order.status else order_id

    return await changes.perform_row("createOrder", as_arguments(order), create, Order, status=201)


@router.patch("/{order_id}/status", response_model=Row, summary="Set the status of an order")
async def set_order_status(changes: ChangesDep, order_id: Key, new: Status) -> Json:
    """The updated row; 409 if the order cannot change from its status to this one."""
    return await changes.perform_row(
        "updateOrderStatus",
        {"order_id": order_id} | as_arguments(new),
        lambda write: orders.set_status(write, order_id, new.status),
        Order,
    )


@router.put("/{order_id}", response_model=Row, summary="Update an order")
async def update_order(changes: ChangesDep, order_id: Key, new: OrderChanges) -> Json:
    """The updated row; 409 if the order cannot change from its status to this one."""
    return await set_order_status(changes, order_id, Status(status=new.status))


@router.delete("/{order_id}", response_model=Row, summary="Cancel an order")
async def cancel_order(changes: ChangesDep, order_id: Key) -> Json:
    """The canceled row, which stays; 409 if the order is filled or rejected."""
    return await changes.perform_row(
        "cancelOrder", {"order_id": order_id}, lambda write: orders.cancel(write, order_id), Order
    )


async def _newest_first(worker: Worker, caller: Caller, query: Select[Any], page: Page) -> Json:
    return await list_query(worker, caller, query, page, Order.order_id.desc())


def _of_bot(query: Select[Any], bot_id: int | None) -> Select[Any]:
    return query if bot_id is None else query.where(Order.bot_id == bot_id)
