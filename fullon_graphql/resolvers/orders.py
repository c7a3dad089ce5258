"""Queries and mutations about orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import strawberry

from fullon_graphql.engine.cost import list_size
from fullon_graphql.engine.fields.connection import StreamedConnection
from fullon_graphql.engine.fields.filter_inputs import filter_of
from fullon_graphql.engine.fields.mutations import change, given, rows_of
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.engine.lists.filters import Filter
from fullon_graphql.engine.model.entities import entity_of
from fullon_graphql.errors import BadUserInput
from fullon_graphql.schema.orders import CreateOrderInput, Order
from fullon_graphql.schema.support.arguments import EXPECTED_TIMESTAMP, WhichOrder
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import orders
from fullon_graphql.services.orders import MOST_CANCELED
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

if TYPE_CHECKING:
    Which: TypeAlias = Mapping[str, Any]
else:  # the type is generated with the schema
    Which = Annotated[
        filter_of("Order"), strawberry.argument(name="filter", description="Conditions of the orders to cancel.")
    ]


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

    @change(
        list[Order],
        f"Mark the open orders that match a filter as canceled, as `cancelOrder` does: the {MOST_CANCELED} oldest that"
        " you may see. Returns them, by key; repeat the call until it returns none. A dry run returns those that it"
        " would cancel. An empty filter is BAD_USER_INPUT.",
        rows_of(Order),
        directives=[list_size(MOST_CANCELED)],
    )
    async def cancel_orders(self, write: UnitOfWork, filter_: Which) -> list[int]:
        if not filter_:
            raise BadUserInput("`filter` is empty; give a condition, for example `botId`.", field="filter")
        entity = entity_of(Order)
        return await orders.cancel_matching(write, Filter.read(entity, filter_).condition(entity))
