"""Orders as the exchange daemons last reported them, over REST. Reading does not consume a queue."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import BigInteger, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY

from fullon_graphql.auth.principal import Caller, signed_in
from fullon_graphql.cache import keys
from fullon_graphql.cache import orders as live
from fullon_graphql.context import Worker
from fullon_graphql.errors import NotFound, shortened
from fullon_graphql.models import Order
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.cache.accounts import accounts_of_user
from fullon_graphql.rest.cache.figures import QueueFigures, queue_figures
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.parameters import Key
from fullon_graphql.rest.route_list import RouteList
from fullon_graphql.rest.rows import find_row
from fullon_graphql.services.access import ORDERS, visible

router = RouteList(prefix="/cache/orders", tags=["cache"])

_ORDER_ID: Final = re.compile(r"[1-9][0-9]{0,17}")
"""A local order id that can be the key of an order."""


class LiveOrder(BaseModel):
    """Last report of a daemon about an order."""

    key: str = Field(description="The exchange's id of the order, or the platform's before the exchange has given one.")
    ex_id: int
    symbol: str | None
    status: str | None
    order_type: str | None
    side: str | None
    reason: str | None
    volume: float | None
    final_volume: float | None
    price: float | None
    timestamp: AwareDatetime | None


class OrderQueue(BaseModel):
    """Queue of answers for the program that placed an order."""

    queue_name: str
    size: int
    ex_order_ids: list[str] = Field(description="The exchange's order ids in the queue, oldest first.")


class QueueSize(BaseModel):
    """Total size of the queues visible to the caller."""

    queue_name: str
    size: int


class Queues(QueueSize, QueueFigures):
    """Total size, figures of all these queues together, and each queue that is not empty."""

    queues: list[QueueSize]


@router.get("/queue/size", response_model=QueueSize, summary="Get the total size of the order queues")
async def get_queue_size(worker: WorkerDep, caller: CallerDep) -> Json:
    """Queues of the caller's orders; every queue for administrators."""
    return Json(_total(await _queue_sizes(worker, caller)))


@router.get("/queue/status", response_model=Queues, summary="List the order queues")
async def list_queues(worker: WorkerDep, caller: CallerDep) -> Json:
    """One queue per order, with figures that this process has measured."""
    sizes = await _queue_sizes(worker, caller)
    figures = queue_figures(worker.order_queues, await _visible_ids(worker, caller, worker.order_queues.names))
    queues = [{"queue_name": keys.new_orders(order_id), "size": size} for order_id, size in sizes.items()]
    return Json(_total(sizes) | figures | {"queues": queues})


@router.get("/{order_id}/status", response_model=LiveOrder, summary="Get the live status of an order")
async def get_order_status(worker: WorkerDep, caller: CallerDep, order_id: Key) -> Json:
    """404 also if no daemon has reported about the order."""
    order = await _order(worker, caller, order_id)
    [reported] = await live.read(worker.redis, [(order["ex_id"], order["exchange"])])
    names = {order["ex_order_id"], str(order_id)}
    newest = next((order for order in reported if order.key in names), None)
    if newest is None:
        raise NotFound(f"No daemon has reported about order {shortened(order_id)}.")
    return Json(newest)


@router.get("/{order_id}/queue", response_model=OrderQueue, summary="Get the queue of an order")
async def get_queue(worker: WorkerDep, caller: CallerDep, order_id: Key) -> Json:
    """Reading does not consume the queue."""
    await _order(worker, caller, order_id)
    [waiting] = await live.read_queues(worker.redis, [str(order_id)])
    return Json({"queue_name": f"new_orders:{order_id}", "size": len(waiting), "ex_order_ids": waiting})


@router.get("/{user_id}/orders", response_model=list[LiveOrder], summary="List the live orders of a user")
async def list_live_orders(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """Ordered by account and key."""
    owned = await accounts_of_user(worker, caller, user_id)
    reported = await live.read(worker.redis, [(ex_id, account["exchange"]) for ex_id, account in owned.items()])
    return Json([order for orders_ in reported for order in orders_])


async def _queue_sizes(worker: Worker, caller: Caller) -> dict[str, int]:
    """Queue sizes by local order id."""
    signed_in(caller, ORDERS)
    sizes = await live.read_queue_sizes(worker.redis)
    worker.order_queues.observe(sizes)
    own = await _visible_ids(worker, caller, sizes)
    return {order_id: size for order_id, size in sizes.items() if order_id in own}


async def _visible_ids(worker: Worker, caller: Caller, order_ids: Collection[str]) -> Collection[str]:
    """The local order ids of orders that the caller may see. Other ids are shown to administrators only."""
    if signed_in(caller, ORDERS).admin:
        return order_ids
    numbers = [int(order_id) for order_id in order_ids if _ORDER_ID.fullmatch(order_id)]
    query = (
        visible(Order, caller)
        .where(Order.order_id == any_(literal(numbers, ARRAY(BigInteger))))
        .with_only_columns(Order.order_id)
    )
    return {str(row.order_id) for row in await worker.reads(caller).rows(query)}


def _total(sizes: Mapping[str, int]) -> dict[str, Any]:
    return {"queue_name": "new_orders", "size": sum(sizes.values())}


async def _order(worker: Worker, caller: Caller, order_id: int) -> dict[str, Any]:
    return await find_row(worker, caller, Order, order_id=order_id)
