"""Orders as the exchange daemons last reported them."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.cache import orders
from fullon_graphql.context import Context
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.references import OrderRef
from fullon_graphql.schema.support.scalars import DateTime


@strawberry.type(description="What an exchange last said about one order of an account: often ahead of the stored one.")
class LiveOrder:
    ex_id: int = strawberry.field(description="Key of the exchange account.")
    ex_order_id: str = strawberry.field(
        description="The exchange's own id of the order; the platform's key where it has none yet."
    )
    symbol: str | None = strawberry.field(description="Instrument in the exchange's spelling.")
    status: str | None = strawberry.field(description="Free text of the platform: `open`, `filled`, `canceled` ...")
    order_type: str | None = strawberry.field(description="`market`, `limit`, `stop` or `stop_limit`.")
    side: str | None = strawberry.field(description="`buy` or `sell`, in any letter case.")
    reason: str | None = strawberry.field(description="Why the bot placed it.")
    volume: float | None = strawberry.field(description="Volume asked for, in base currency.")
    final_volume: float | None = strawberry.field(description="Volume filled, in base currency.")
    price: float | None = strawberry.field(description="Price in quote currency.")
    timestamp: DateTime | None = strawberry.field(description="When this was reported.")
    uid: strawberry.Private[int]

    order: OrderRef | None = to_one(
        "The stored order; null where there is none yet.",
        relation(
            "Order",
            ("ex_order_id", "ex_id", "uid"),
            (models.Order.ex_order_id, models.Order.ex_id, models.Order.uid),
            first=True,
        ),
    )

    @classmethod
    def of(cls, order: orders.LiveOrder, uid: int) -> LiveOrder:
        """The GraphQL object of a cached report about an order of this person."""
        return cls(
            ex_id=order.ex_id,
            ex_order_id=order.key,
            symbol=order.symbol,
            status=order.status,
            order_type=order.order_type,
            side=order.side,
            reason=order.reason,
            volume=order.volume,
            final_volume=order.final_volume,
            price=order.price,
            timestamp=DateTime(order.timestamp) if order.timestamp else None,
            uid=uid,
        )


async def _of_accounts(context: Context, keys: list[tuple[int, str, int]]) -> list[list[LiveOrder]]:
    found = await orders.read(context.worker.redis, [(ex_id, exchange) for ex_id, exchange, _ in keys])
    return [[LiveOrder.of(order, uid) for order in each] for each, (_, _, uid) in zip(found, keys, strict=True)]


LIVE_ORDERS_OF_ACCOUNT = Batch(("ex_id", "exchange_name", "uid"), _of_accounts)
"""The reports about an account's orders, by the exchange's id of them."""
