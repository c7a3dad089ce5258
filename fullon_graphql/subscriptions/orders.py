"""Changes of orders."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.schema.orders import Order, OrderEvent
from fullon_graphql.streaming.row_changes import AfterEvent, BotKey, RowChanges, WithSnapshot, row_stream
from fullon_graphql.streaming.sources import Source


def _orders(
    context: Context, bot_id: BotKey = None, after: AfterEvent = None, snapshot: WithSnapshot = False
) -> Source[OrderEvent]:
    return RowChanges(context, Order, OrderEvent, after, snapshot, bot_id)


@strawberry.type
class OrderSubscriptions:
    orders: OrderEvent = row_stream("Your orders (administrators: all)", _orders)
