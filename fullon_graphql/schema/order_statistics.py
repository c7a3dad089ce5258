"""Statistics of orders."""

from __future__ import annotations

import strawberry


@strawberry.type(description="How many orders have a status.")
class StatusCount:
    status: str = strawberry.field(description="The status in lower case, otherwise as the platform spells it.")
    count: int = strawberry.field(description="How many orders.")


@strawberry.type(description="What became of orders. Statuses count alike in any letter case.")
class OrderStatistics:
    total_orders: int = strawberry.field(description="How many orders there are.")
    open_orders: int = strawberry.field(description="Those that are neither filled, canceled nor rejected.")
    filled_orders: int = strawberry.field(description="Those that are filled.")
    canceled_orders: int = strawberry.field(description="Those that are canceled, in either spelling.")
    rejected_orders: int = strawberry.field(description="Those the exchange has rejected.")
    buys: int = strawberry.field(description="Those that buy.")
    sells: int = strawberry.field(description="Those that sell.")
    fill_rate: float | None = strawberry.field(
        description="`filled / (filled + canceled + rejected)`, from 0 to 1; null where none has ended."
    )
    by_status: list[StatusCount] = strawberry.field(description="The number of every status there is, by its name.")
