"""Live tickers."""

from __future__ import annotations

from datetime import UTC, datetime

import strawberry

from fullon_graphql import models
from fullon_graphql.cache import tickers as cache
from fullon_graphql.context import Context
from fullon_graphql.engine.audience import same_for_everybody
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.engine.model.relations import Join, relation
from fullon_graphql.schema.support.references import SymbolRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import tickers

INSTRUMENT = relation(
    "Symbol",
    ("exchange", "symbol"),
    (models.CatExchange.name, models.Symbol.symbol),
    Join(models.CatExchange, models.CatExchange.cat_ex_id == models.Symbol.cat_ex_id),
)
"""From the names by which tickers and clients know an instrument to its row."""

INSTRUMENT_OF_ACCOUNT = relation(
    "Symbol",
    ("ex_id", "symbol"),
    (models.Exchange.ex_id, models.Symbol.symbol),
    Join(models.Exchange, models.Exchange.cat_ex_id == models.Symbol.cat_ex_id),
)
"""From an account and what its exchange calls an instrument to the instrument's row."""


@same_for_everybody
@strawberry.type(description="What an exchange last said about one instrument. Prices are in quote currency.")
class Ticker:
    exchange: str = strawberry.field(description="Lower-case name of the exchange.")
    symbol: str = strawberry.field(description="Instrument in the exchange's spelling.")
    price: float = strawberry.field(description="The current price.")
    bid: float | None = strawberry.field(description="Best price somebody buys at.")
    ask: float | None = strawberry.field(description="Best price somebody sells at.")
    last: float | None = strawberry.field(description="Price of the last trade.")
    volume: float | None = strawberry.field(description="Volume traded in the exchange's window, in base currency.")
    change: float | None = strawberry.field(description="Change of the price over that window.")
    percentage: float | None = strawberry.field(description="The same change in per cent.")
    spread: float | None = strawberry.field(description="`ask - bid`; null where a side is missing.")
    time: DateTime = strawberry.field(description="When the exchange said it.")
    age_ms: float = strawberry.field(description="Milliseconds since then, when this answer was made.")

    instrument: SymbolRef | None = to_one("The catalogued instrument; null where the catalogue has none.", INSTRUMENT)

    @classmethod
    def of(cls, ticker: cache.Ticker) -> Ticker:
        """The GraphQL object of a cached ticker."""
        return cls(
            exchange=ticker.exchange,
            symbol=ticker.symbol,
            price=ticker.price,
            bid=ticker.bid,
            ask=ticker.ask,
            last=ticker.last,
            volume=ticker.volume,
            change=ticker.change,
            percentage=ticker.percentage,
            spread=ticker.spread,
            time=DateTime(datetime.fromtimestamp(ticker.time, UTC)),
            age_ms=ticker.age_ms(),
        )


async def _of_instruments(context: Context, instruments: list[tuple[str | None, str]]) -> list[Ticker | None]:
    # Where the account is gone there is no exchange; nothing has tickers under that name.
    named = [(exchange or "", symbol) for exchange, symbol in instruments]
    found = await tickers.of_instruments(context.worker.redis, context.caller, named)
    return [Ticker.of(ticker) if ticker else None for ticker in found]


async def _of_exchanges(context: Context, exchanges: list[tuple[str]]) -> list[list[Ticker]]:
    found = await tickers.of_exchanges(context.worker.redis, context.caller, [exchange for (exchange,) in exchanges])
    return [[Ticker.of(ticker) for ticker in of_exchange] for of_exchange in found]


TICKER_OF_INSTRUMENT = Batch(("exchange", "symbol"), _of_instruments)
"""The ticker of what names its instrument as tickers do; null where none has been seen."""
TICKERS_OF_EXCHANGE = Batch(("name",), _of_exchanges)
"""All tickers of a catalogued exchange, by symbol."""
