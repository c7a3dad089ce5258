"""Orders as the exchange daemons last reported them, over REST: one's own. Nothing is taken out of a queue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import BigInteger, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY

from fullon_graphql.auth.principal import Caller, signed_in
from fullon_graphql.cache import keys
from fullon_graphql.cache import orders as live
from fullon_graphql.context import Worker
from fullon_graphql.errors import NotFound
from fullon_graphql.models import Order
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.cache.accounts import accounts_of
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.parameters import Key
from fullon_graphql.rest.rows import found
from fullon_graphql.services.access import visible

cache = APIRouter(prefix="/cache/orders", tags=["cache"])

_PLATFORMS: Final = re.compile(r"[1-9][0-9]{0,17}")
"""A local order id that may be the key of an order."""


class LiveOrder(BaseModel):
    """A daemon's last word on an order."""

    key: str = Field(description="The exchange's id of the order or, before it has one, the platform's.")
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
    """What waits for the program that placed an order."""

    queue_name: str
    size: int
    ex_order_ids: list[str] = Field(description="The exchange's ids that came as answers, oldest first.")


class QueueSize(BaseModel):
    """How much waits in all queues one may see, taken together."""

    queue_name: str
    size: int


class Queues(QueueSize):
    """The same, and each queue in which anything waits."""

    queues: list[QueueSize]


@cache.get("/queue/size", response_model=QueueSize, summary="How many answers wait?")
async def queue_size(worker: WorkerDep, caller: CallerDep) -> Json:
    """For one's own orders; for administrators everybody's."""
    return Json(_together(await _queue_sizes(worker, caller)))


@cache.get("/queue/status", response_model=Queues, summary="Which answers wait?")
async def queue_status(worker: WorkerDep, caller: CallerDep) -> Json:
    """By queue: each order has its own."""
    sizes = await _queue_sizes(worker, caller)
    queues = [{"queue_name": keys.new_orders(order_id), "size": size} for order_id, size in sizes.items()]
    return Json(_together(sizes) | {"queues": queues})


@cache.get("/{order_id}/status", response_model=LiveOrder, summary="What has become of an order?")
async def status(worker: WorkerDep, caller: CallerDep, order_id: Key) -> Json:
    """404 too where no daemon has said anything of it."""
    order = await _order(worker, caller, order_id)
    [reported] = await live.read(worker.redis, [(order["ex_id"], order["exchange"])])
    names = {order["ex_order_id"], str(order_id)}
    newest = next((one for one in reported if one.key in names), None)
    if newest is None:
        raise NotFound(f"Nothing has been reported of order {order_id}.")
    return Json(newest)


@cache.get("/{order_id}/queue", response_model=OrderQueue, summary="Which answers wait for whoever placed it?")
async def queue(worker: WorkerDep, caller: CallerDep, order_id: Key) -> Json:
    """They go on waiting."""
    await _order(worker, caller, order_id)
    [waiting] = await live.read_queues(worker.redis, [str(order_id)])
    return Json({"queue_name": f"new_orders:{order_id}", "size": len(waiting), "ex_order_ids": waiting})


@cache.get("/{user_id}/orders", response_model=list[LiveOrder], summary="What is reported of somebody's orders?")
async def of_person(worker: WorkerDep, caller: CallerDep, user_id: Key) -> Json:
    """By account and key."""
    owned = await accounts_of(worker, caller, user_id)
    reported = await live.read(worker.redis, [(ex_id, account["exchange"]) for ex_id, account in owned.items()])
    return Json([order for orders_ in reported for order in orders_])


async def _queue_sizes(worker: Worker, caller: Caller) -> dict[str, int]:
    """By local order id; those which programs have made up themselves are shown to administrators alone."""
    principal = signed_in(caller)
    sizes = await live.read_queue_sizes(worker.redis)
    if principal.admin:
        return sizes
    numbers = [int(order_id) for order_id in sizes if _PLATFORMS.fullmatch(order_id)]
    query = (
        visible(Order, caller)
        .where(Order.order_id == any_(literal(numbers, ARRAY(BigInteger))))
        .with_only_columns(Order.order_id)
    )
    own = {str(row.order_id) for row in await worker.database.rows(query)}
    return {order_id: size for order_id, size in sizes.items() if order_id in own}


def _together(sizes: Mapping[str, int]) -> dict[str, Any]:
    return {"queue_name": "new_orders", "size": sum(sizes.values())}


async def _order(worker: Worker, caller: Caller, order_id: int) -> dict[str, Any]:
    return await found(worker, visible(Order, caller).where(Order.order_id == order_id))
