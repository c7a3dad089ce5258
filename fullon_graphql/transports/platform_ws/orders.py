"""Orders as exchanges last reported them: one's own. Queues are looked at, never emptied."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from fullon_graphql.errors import NotFound
from fullon_graphql.transports.platform_ws.accounts import accounts_of
from fullon_graphql.transports.platform_ws.graph_client import (
    GraphClient,
    Params,
    Read,
    Result,
    Source,
    Stream,
    key,
    text,
    when_changed,
)

_REPORTED = """liveOrders {
  exOrderId symbol side volume price finalVolume status orderType timestamp order { orderId }
}"""


async def get_order_status(asking: GraphClient, params: Params) -> Result:
    """Of the order with this `order_id`: the exchange's id of it, or ours."""
    name = str(params.get("order_id"))
    for account in await accounts_of(asking, params, _REPORTED):
        for order in account["liveOrders"]:
            if name == order["exOrderId"] or (order["order"] and key(name) == order["order"]["orderId"]):
                return _worded(account, order)
    raise NotFound(f"Nothing has been reported of order {name}.")


async def get_queue_length(asking: GraphClient, params: Params) -> Result:
    """How many orders are reported, as the platform counts them."""
    accounts = await accounts_of(asking, {"exchange": text(params, "exchange")}, "liveOrders { exOrderId }")
    return _length(params, sum(len(account["liveOrders"]) for account in accounts))


async def stream_order_queue(asking: GraphClient, params: Params) -> Sequence[Source]:
    accounts = await accounts_of(asking, {"exchange": text(params, "exchange")})
    named = tuple((account["exId"], account["exchangeName"]) for account in accounts)
    return [Source(asking.worker.watches.orders.states(named), when_changed(partial(_length, params)))]


def _length(params: Params, length: int) -> Result:
    now = datetime.now(UTC).isoformat()
    return {"exchange": params["exchange"], "queue_length": length, "timestamp": now}


def _worded(account: Result, order: Result) -> Result:
    asked, filled = order["volume"], order["finalVolume"]
    same = {name: order[name] for name in ("symbol", "side", "price", "status")}
    return same | {
        "order_id": order["exOrderId"],
        "exchange": account["exchangeName"],
        "amount": asked,
        "filled": filled,
        "remaining": None if asked is None else asked - (filled or 0),
        "order_type": order["orderType"],
        "timestamp": order["timestamp"],
        "last_update": order["timestamp"],
    }


MISSING = "ORDER_NOT_FOUND"
READS = {"get_order_status": Read(get_order_status, MISSING), "get_queue_length": Read(get_queue_length, MISSING)}
STREAMS = {"stream_order_queue": Stream(stream_order_queue, "queue_update", MISSING)}
