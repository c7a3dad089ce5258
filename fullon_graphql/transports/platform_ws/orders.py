"""The caller's orders as exchanges last reported them. Queues are read, never consumed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from fullon_graphql.errors import NotFound, shortened
from fullon_graphql.transports.platform_ws.accounts import accounts_of
from fullon_graphql.transports.platform_ws.graph_client import (
    GraphClient,
    Params,
    Read,
    Result,
    Source,
    Stream,
    on_length_change,
    parse_key,
    string_param,
)

_REPORTED = """liveOrders {
  exOrderId symbol side volume price finalVolume status orderType timestamp order { orderId }
}"""


async def get_order_status(client: GraphClient, params: Params) -> Result:
    """The status of the order with this `order_id`, which may be the exchange's id or ours."""
    name = str(params.get("order_id"))
    for account in await accounts_of(client, params, _REPORTED):
        for order in account["liveOrders"]:
            if name == order["exOrderId"] or (order["order"] and parse_key(name) == order["order"]["orderId"]):
                return _result(account, order)
    raise NotFound(f"There is no report of order {shortened(name)}.")


async def get_queue_length(client: GraphClient, params: Params) -> Result:
    """The number of reported orders."""
    accounts = await accounts_of(client, {"exchange": string_param(params, "exchange")}, "liveOrders { exOrderId }")
    return _length(params, sum(len(account["liveOrders"]) for account in accounts))


async def stream_order_queue(client: GraphClient, params: Params) -> Sequence[Source]:
    accounts = await accounts_of(client, {"exchange": string_param(params, "exchange")})
    keys = tuple((account["exId"], account["exchangeName"]) for account in accounts)
    return [Source(client.worker.watches.orders.states(keys), on_length_change(partial(_length, params)))]


def _length(params: Params, length: int) -> Result:
    now = datetime.now(UTC).isoformat()
    return {"exchange": params["exchange"], "queue_length": length, "timestamp": now}


def _result(account: Result, order: Result) -> Result:
    volume, filled = order["volume"], order["finalVolume"]
    same = {name: order[name] for name in ("symbol", "side", "price", "status")}
    return same | {
        "order_id": order["exOrderId"],
        "exchange": account["exchangeName"],
        "amount": volume,
        "filled": filled,
        "remaining": None if volume is None else volume - (filled or 0),
        "order_type": order["orderType"],
        "timestamp": order["timestamp"],
        "last_update": order["timestamp"],
    }


MISSING = "ORDER_NOT_FOUND"
READS = {"get_order_status": Read(get_order_status, MISSING), "get_queue_length": Read(get_queue_length, MISSING)}
STREAMS = {"stream_order_queue": Stream(stream_order_queue, "queue_update", MISSING)}
