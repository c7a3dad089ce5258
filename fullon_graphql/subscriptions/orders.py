"""Changes of orders."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.orders import Order, OrderEvent
from fullon_graphql.streaming.row_changes import row_stream


@strawberry.type
class OrderSubscriptions:
    orders: OrderEvent = row_stream("Your orders (administrators: all)", Order, OrderEvent)
