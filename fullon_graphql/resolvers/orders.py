"""Queries about orders."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.connections import Connection
from fullon_graphql.engine.roots import by_key, one_row, root_connection
from fullon_graphql.schema.orders import Order


@strawberry.type
class OrderQueries:
    orders: Connection[Order] = root_connection(
        "The orders you may see, by key: your own, or all as administrator.", Order
    )

    @strawberry.field(
        description="The order with this key; NOT_FOUND where there is none you may see.", metadata=by_key(Order)
    )
    async def order(
        self, info: Info, order_id: Annotated[int, strawberry.argument(description="Key of the order.")]
    ) -> Order | None:
        return await one_row(info.context, Order, order_id)
