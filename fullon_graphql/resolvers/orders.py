"""Queries and mutations about orders."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import by_key, one_row, root_connection
from fullon_graphql.schema.orders import CreateOrderInput, Order
from fullon_graphql.schema.support.arguments import EXPECTED_TIMESTAMP, WhichOrder
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import orders

NewOrder = Annotated[CreateOrderInput, strawberry.argument(name="input", description="The order.")]
Status = Annotated[
    str,
    strawberry.argument(
        description="`pending`, `open`, `partially_filled`, `filled`, `canceled` (or `cancelled`) or `rejected`."
    ),
]
ExpectedTimestamp = Annotated[DateTime | None, strawberry.argument(description=EXPECTED_TIMESTAMP)]


@strawberry.type
class OrderQueries:
    orders: Connection[Order] = root_connection(
        "The orders you may see, by key: your own, or all as administrator.", Order
    )

    @strawberry.field(
        description="The order with this key; NOT_FOUND where there is none you may see.", metadata=by_key(Order)
    )
    async def order(self, info: Info, order_id: WhichOrder) -> Order | None:
        return await one_row(info.context, Order, order_id)


@strawberry.type
class OrderMutations:
    @change(
        Order,
        "Store an order with the status `New`. It is the platform's daemons that bring it to the exchange.",
    )
    async def create_order(self, info: Info, order: NewOrder) -> int:
        return await orders.create(info.context.write, given(order))

    @change(
        Order,
        "Move an order on. A step may be left out, none is taken back, and `filled`, `canceled` and `rejected` are the"
        " end: CONFLICT.",
    )
    async def update_order_status(
        self, info: Info, order_id: WhichOrder, status: Status, expected_timestamp: ExpectedTimestamp = None
    ) -> int:
        return await orders.set_status(info.context.write, order_id, status, expected_timestamp)

    @change(Order, "Mark an order as canceled; CONFLICT where it has been filled or rejected.")
    async def cancel_order(self, info: Info, order_id: WhichOrder) -> int:
        return await orders.cancel(info.context.write, order_id)
