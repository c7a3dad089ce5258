"""Live positions of exchange accounts."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.config import Subgraph
from fullon_graphql.engine.model.batches import Batch, batched
from fullon_graphql.engine.subgraphs import part_of
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import live
from fullon_graphql.services.access import read_scope

MARKET_PRICE = Batch(("exchange", "symbol"), live.market_prices)
UNREALIZED_PNL = Batch(("exchange", "symbol", "price", "volume"), live.unrealized)


@part_of(Subgraph.CACHE, read_scope(models.Exchange))
@strawberry.type(description="The position of an exchange account in one instrument.")
class Position(FromRecord):
    ex_id: int = strawberry.field(description="Key of the exchange account.")
    symbol: str = strawberry.field(description="Instrument in the exchange's spelling.")
    side: str | None = strawberry.field(description="`long` or `short`; null for an empty position.")
    volume: float = strawberry.field(description="Size in base currency; negative for a short position.")
    cost: float = strawberry.field(description="Cost of the position in quote currency.")
    price: float = strawberry.field(description="Average entry price in quote currency.")
    fee: float = strawberry.field(description="Fees paid for the position, in quote currency.")
    timestamp: DateTime | None = strawberry.field(description="Time of the last change.")
    exchange: strawberry.Private[str]

    market_price: float | None = batched("Live price of the instrument; null if there is no ticker.", MARKET_PRICE)
    unrealized_pnl: float | None = batched(
        "`(marketPrice - price) * volume` in quote currency: profit or loss if the position were closed now, without"
        " fees. Correct for linear instruments; null without a market price.",
        UNREALIZED_PNL,
    )

    @classmethod
    def from_record(cls, record: live.HeldPosition) -> Position:
        """The object of a position and the exchange it is held on."""
        position = record.position
        return cls(
            ex_id=position.ex_id,
            symbol=position.symbol,
            side=position.side,
            volume=position.volume,
            cost=position.cost,
            price=position.price,
            fee=position.fee,
            timestamp=DateTime(position.timestamp) if position.timestamp else None,
            exchange=record.exchange,
        )


POSITIONS_OF_ACCOUNT = Batch(("ex_id", "exchange_name"), live.positions_of_accounts, build=Position.from_record)
