"""Live tickers."""

from __future__ import annotations

from datetime import UTC, datetime

import strawberry

from fullon_graphql import models
from fullon_graphql.cache import tickers as cache
from fullon_graphql.config import Subgraph
from fullon_graphql.engine.audience import same_for_everybody
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.engine.model.relations import Join, relation
from fullon_graphql.engine.subgraphs import part_of
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.references import SymbolRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import live
from fullon_graphql.services.access import TICKERS

INSTRUMENT = relation(
    "Symbol",
    ("exchange", "symbol"),
    (models.CatExchange.name, models.Symbol.symbol),
    Join(models.CatExchange, models.CatExchange.cat_ex_id == models.Symbol.cat_ex_id),
)
"""From the name of an exchange and of an instrument to the instrument's row."""

INSTRUMENT_OF_ACCOUNT = relation(
    "Symbol",
    ("ex_id", "symbol"),
    (models.Exchange.ex_id, models.Symbol.symbol),
    Join(models.Exchange, models.Exchange.cat_ex_id == models.Symbol.cat_ex_id),
)
"""From an exchange account and the name of an instrument to the instrument's row."""


@part_of(Subgraph.CACHE, TICKERS)
@same_for_everybody
@strawberry.type(description="The latest ticker of one instrument. Prices are in quote currency.")
class Ticker(FromRecord):
    exchange: str = strawberry.field(description="Name of the exchange, in lower case.")
    symbol: str = strawberry.field(description="Instrument in the exchange's spelling.")
    price: float = strawberry.field(description="Current price.")
    bid: float | None = strawberry.field(description="Best bid price.")
    ask: float | None = strawberry.field(description="Best ask price.")
    last: float | None = strawberry.field(description="Price of the last trade.")
    volume: float | None = strawberry.field(description="Volume in base currency over the exchange's time window.")
    change: float | None = strawberry.field(description="Change of the price over that time window.")
    percentage: float | None = strawberry.field(description="Change of the price in percent.")
    spread: float | None = strawberry.field(description="`ask - bid`; null if either is missing.")
    time: DateTime = strawberry.field(description="Time of the ticker.")
    age_ms: float = strawberry.field(description="Age of the ticker at the time of the answer, in milliseconds.")

    instrument: SymbolRef | None = to_one("The instrument in the catalogue; null if it is not catalogued.", INSTRUMENT)

    @classmethod
    def from_record(cls, record: cache.Ticker) -> Ticker:
        """The object of a ticker in the cache."""
        return cls(
            exchange=record.exchange,
            symbol=record.symbol,
            price=record.price,
            bid=record.bid,
            ask=record.ask,
            last=record.last,
            volume=record.volume,
            change=record.change,
            percentage=record.percentage,
            spread=record.spread,
            time=DateTime(datetime.fromtimestamp(record.time, UTC)),
            age_ms=record.age_ms(),
        )


TICKER_OF_INSTRUMENT = Batch(("exchange", "symbol"), live.tickers_of_instruments, build=Ticker.from_record)
TICKERS_OF_EXCHANGE = Batch(("name",), live.tickers_of_exchanges, build=Ticker.from_record)
