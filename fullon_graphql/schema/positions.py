"""Live positions of exchange accounts."""

from __future__ import annotations

import strawberry

from fullon_graphql.cache import accounts
from fullon_graphql.context import Context
from fullon_graphql.engine.model.batches import Batch, batched
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import tickers


async def _market_prices(context: Context, instruments: list[tuple[str, str]]) -> list[float | None]:
    found = await tickers.of_instruments(context.worker.redis, context.caller, instruments)
    return [ticker.price if ticker else None for ticker in found]


async def _unrealized(context: Context, positions: list[tuple[str, str, float, float]]) -> list[float | None]:
    instruments = [(exchange, symbol) for exchange, symbol, _, _ in positions]
    prices = await _market_prices(context, instruments)
    return [
        None if market is None else (market - price) * volume
        for market, (_, _, price, volume) in zip(prices, positions, strict=True)
    ]


MARKET_PRICE = Batch(("exchange", "symbol"), _market_prices)
UNREALIZED_PNL = Batch(("exchange", "symbol", "price", "volume"), _unrealized)


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

    market_price: float | None = batched(
        "The instrument's live price; null where no ticker has been seen.", MARKET_PRICE
    )
    unrealized_pnl: float | None = batched(
        "`(marketPrice - price) * volume`, in quote currency: what closing it now would win or lose, fees aside. For"
        " linear instruments; null where there is no market price.",
        UNREALIZED_PNL,
    )

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


async def _of_accounts(context: Context, keys: list[tuple[int, str]]) -> list[list[Position]]:
    found = await accounts.read_positions(context.worker.redis, [ex_id for ex_id, _ in keys])
    return [[Position.of(position, exchange) for position in found[ex_id]] for ex_id, exchange in keys]


POSITIONS_OF_ACCOUNT = Batch(("ex_id", "exchange_name"), _of_accounts)
"""The positions of an exchange account."""
