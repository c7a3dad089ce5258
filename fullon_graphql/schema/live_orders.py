"""Orders as exchanges last reported them."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.config import Subgraph
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.engine.subgraphs import part_of
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.references import OrderRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import live


@part_of(Subgraph.CACHE)
@strawberry.type(
    description="The latest report of an exchange about one order. It is often newer than the stored order."
)
class LiveOrder(FromRecord):
    ex_id: int = strawberry.field(description="Key of the exchange account.")
    ex_order_id: str = strawberry.field(
        description="The exchange's id of the order; the platform's key until the exchange has assigned one."
    )
    symbol: str | None = strawberry.field(description="Instrument in the exchange's spelling.")
    status: str | None = strawberry.field(description="Status text: `open`, `filled`, `canceled` ...")
    order_type: str | None = strawberry.field(description="`market`, `limit`, `stop` or `stop_limit`.")
    side: str | None = strawberry.field(description="`buy` or `sell`, in any letter case.")
    reason: str | None = strawberry.field(description="Reason given by the bot.")
    volume: float | None = strawberry.field(description="Ordered volume in base currency.")
    final_volume: float | None = strawberry.field(description="Filled volume in base currency.")
    price: float | None = strawberry.field(description="Price in quote currency.")
    timestamp: DateTime | None = strawberry.field(description="Time of the report.")
    uid: strawberry.Private[int]

    order: OrderRef | None = to_one(
        "The stored order; null if it is not stored yet.",
        relation(
            "Order",
            ("ex_order_id", "ex_id", "uid"),
            (models.Order.ex_order_id, models.Order.ex_id, models.Order.uid),
            first=True,
        ),
    )

    @classmethod
    def from_record(cls, record: live.OwnedOrder) -> LiveOrder:
        """The object of a report and the owner of its account."""
        order = record.order
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
            uid=record.uid,
        )


LIVE_ORDERS_OF_ACCOUNT = Batch(("ex_id", "exchange_name", "uid"), live.orders_of_accounts, build=LiveOrder.from_record)
