"""Orders as the exchange daemons last reported them, over REST: one's own. Nothing is taken out of a queue."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.auth.principal import Caller
from fullon_graphql.cache import orders as live
from fullon_graphql.context import Process
from fullon_graphql.errors import NotFound
from fullon_graphql.models import Order
from fullon_graphql.rest.accounts import accounts_of
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import TheCaller, TheProcess
from fullon_graphql.rest.parameters import Key
from fullon_graphql.rest.rows import found
from fullon_graphql.services import orders

cache = APIRouter(prefix="/cache/orders", tags=["cache"])


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


@cache.get("/{order_id}/status", response_model=LiveOrder, summary="What has become of an order?")
async def status(process: TheProcess, caller: TheCaller, order_id: Key) -> Json:
    """404 too where no daemon has said anything of it."""
    order = await _order(process, caller, order_id)
    [reported] = await live.read(process.redis, [(order["ex_id"], order["exchange"])])
    names = {order["ex_order_id"], str(order_id)}
    newest = next((one for one in reported if one.key in names), None)
    if newest is None:
        raise NotFound(f"Nothing has been reported of order {order_id}.")
    return Json(newest)


@cache.get("/{order_id}/queue", response_model=OrderQueue, summary="Which answers wait for whoever placed it?")
async def queue(process: TheProcess, caller: TheCaller, order_id: Key) -> Json:
    """They go on waiting."""
    await _order(process, caller, order_id)
    [waiting] = await live.read_queues(process.redis, [str(order_id)])
    return Json({"queue_name": f"new_orders:{order_id}", "size": len(waiting), "ex_order_ids": waiting})


@cache.get("/{user_id}/orders", response_model=list[LiveOrder], summary="What is reported of somebody's orders?")
async def of_person(process: TheProcess, caller: TheCaller, user_id: Key) -> Json:
    """By account and key."""
    owned = await accounts_of(process, caller, user_id)
    reported = await live.read(process.redis, [(ex_id, account["exchange"]) for ex_id, account in owned.items()])
    return Json([order for orders_ in reported for order in orders_])


async def _order(process: Process, caller: Caller, order_id: int) -> dict[str, Any]:
    return await found(process, orders.visible(caller).where(Order.order_id == order_id))
