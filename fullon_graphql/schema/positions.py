"""Live positions of exchange accounts."""

from __future__ import annotations

import strawberry

from fullon_graphql.cache import accounts
from fullon_graphql.context import Context, Info
from fullon_graphql.engine.loaders import loader
from fullon_graphql.schema.scalars import DateTime
from fullon_graphql.schema.tickers import load_ticker


@strawberry.type(description="What an exchange account holds of one instrument.")
class Position:
    ex_id: int = strawberry.field(description="Key of the exchange account.")
    symbol: str = strawberry.field(description="Instrument in the exchange's spelling.")
    side: str | None = strawberry.field(description="`long` or `short`; null for an empty position.")
    volume: float = strawberry.field(description="Size in base currency, below zero for a short position.")
    cost: float = strawberry.field(description="What it cost, in quote currency.")
    price: float = strawberry.field(description="Average price it was entered at, in quote currency.")
    fee: float = strawberry.field(description="Fees paid for it, in quote currency.")
    timestamp: DateTime | None = strawberry.field(description="When it last changed.")
    exchange: strawberry.Private[str]

    @strawberry.field(description="The instrument's live price; null where no ticker has been seen.")
    async def market_price(self, info: Info) -> float | None:
        ticker = await load_ticker(info.context, self.exchange, self.symbol)
        return ticker.price if ticker else None

    @strawberry.field(
        description="`(marketPrice - price) * volume`, in quote currency: what closing it now would win or lose, fees"
        " aside. For linear instruments; null where there is no market price."
    )
    async def unrealized_pnl(self, info: Info) -> float | None:
        ticker = await load_ticker(info.context, self.exchange, self.symbol)
        return (ticker.price - self.price) * self.volume if ticker else None

    @classmethod
    def of(cls, position: accounts.Position, exchange: str) -> Position:
        """The GraphQL object of a cached position on the exchange called `exchange`."""
        return cls(
            ex_id=position.ex_id,
            symbol=position.symbol,
            side=position.side,
            volume=position.volume,
            cost=position.cost,
            price=position.price,
            fee=position.fee,
            timestamp=DateTime(position.timestamp) if position.timestamp else None,
            exchange=exchange,
        )


async def load_positions(context: Context, ex_id: int, exchange: str) -> list[Position]:
    """The positions of one account; all accounts that one operation asks for at a time cost one Redis round trip."""

    async def fetch(ex_ids: list[int]) -> list[list[accounts.Position]]:
        found = await accounts.read_positions(context.process.redis, ex_ids)
        return [found[ex_id] for ex_id in ex_ids]

    positions = await loader(context, "positions", fetch).load(ex_id)
    return [Position.of(position, exchange) for position in positions]
