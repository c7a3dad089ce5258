"""Statistics of orders."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.support.records import FromRecord


@strawberry.type(description="The number of orders with one status.")
class StatusCount(FromRecord):
    status: str = strawberry.field(description="The status, in lower case.")
    count: int = strawberry.field(description="Number of orders.")


@strawberry.type(description="Counts of orders by outcome. The letter case of a status is ignored.")
class OrderStatistics(FromRecord):
    total_orders: int = strawberry.field(description="Number of orders.")
    open_orders: int = strawberry.field(description="Number of orders that are not filled, canceled or rejected.")
    filled_orders: int = strawberry.field(description="Number of filled orders.")
    canceled_orders: int = strawberry.field(description="Number of canceled orders (`canceled` or `cancelled`).")
    rejected_orders: int = strawberry.field(description="Number of orders that the exchange rejected.")
    buys: int = strawberry.field(description="Number of buy orders.")
    sells: int = strawberry.field(description="Number of sell orders.")
    fill_rate: float | None = strawberry.field(
        description="`filled / (filled + canceled + rejected)`, from 0 to 1; null if none has ended."
    )
    by_status: list[StatusCount] = strawberry.field(description="Number of orders per status, by status.")
