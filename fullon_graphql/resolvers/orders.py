"""Queries and mutations about orders."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.connection import StreamedConnection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.orders import CreateOrderInput, Order
from fullon_graphql.schema.support.arguments import EXPECTED_TIMESTAMP, WhichOrder
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import orders
from fullon_graphql.services.writing.executor import UnitOfWork

NewOrder = Annotated[CreateOrderInput, strawberry.argument(name="input", description="The order.")]
Status = Annotated[
    str,
    strawberry.argument(
        description="New status: `pending`, `open`, `partially_filled`, `filled`, `canceled` (or `cancelled`) or"
        " `rejected`."
    ),
]
ExpectedTimestamp = Annotated[DateTime | None, strawberry.argument(description=EXPECTED_TIMESTAMP)]


@strawberry.type
class OrderQueries:
    orders: StreamedConnection[Order] = root_connection(
        "The orders you may see, by key: your own, or all for administrators.", Order
    )

    order: Order | None = root_row("The order with this key; null if there is none you may see.", Order)


@strawberry.type
class OrderMutations:
    @change(
        Order,
        "Store an order with the status `New`. The platform's daemons send it to the exchange.",
    )
    async def create_order(self, write: UnitOfWork, order: NewOrder) -> int:
        return await orders.create(write, given(order))

    @change(
        Order,
        "Set the status of an order. CONFLICT for a step back, and for any change of an order that is `filled`,"
        " `canceled` or `rejected`.",
    )
    async def update_order_status(
        self, write: UnitOfWork, order_id: WhichOrder, status: Status, expected_timestamp: ExpectedTimestamp = None
    ) -> int:
        return await orders.set_status(write, order_id, status, expected_timestamp)

    @change(Order, "Mark an order as canceled. CONFLICT if it is filled or rejected.")
    async def cancel_order(self, write: UnitOfWork, order_id: WhichOrder) -> int:
        return await orders.cancel(write, order_id)
