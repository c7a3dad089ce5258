"""Candles, as rows and as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.engine.audience import same_for_everybody
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.errors import FullonError, NotFound
from fullon_graphql.ohlcv import candles as stored
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import MAX_BARS, Window
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import candles

described(
    Timeframe,
    "Length of a bar: minutes, hours, days, weeks (from Monday) and months (from the first), all in UTC.",
    {timeframe: f"Spelt `{timeframe.value}` in REST and by exchanges." for timeframe in Timeframe},
)

BarLength = Annotated[Timeframe, strawberry.argument(description="Length of the bars.")]

From = Annotated[
    DateTime | None,
    strawberry.argument(name="from", description="Only bars that start at or after this time."),
]
To = Annotated[DateTime | None, strawberry.argument(description="Only bars that start before this time.")]
LastBars = Annotated[
    int | None,
    strawberry.argument(
        description=f"Only the newest so many bars, however many minutes are empty. No answer exceeds {MAX_BARS} bars."
    ),
]
Fill = Annotated[
    bool | None,
    strawberry.argument(
        description="Put a bar with the last close and no volume where there was no trade, never before the first bar."
    ),
]


@same_for_everybody
@strawberry.type(description="One bar. Prices are in quote currency.")
class Candle:
    time: DateTime = strawberry.field(
        description="Start of the bucket; weeks start on Monday, months on the first, all in UTC."
    )
    open: float = strawberry.field(description="Price of the first trade.")
    high: float = strawberry.field(description="Highest price.")
    low: float = strawberry.field(description="Lowest price.")
    close: float = strawberry.field(description="Price of the last trade.")
    volume: float = strawberry.field(description="Volume traded, in base currency.")


@same_for_everybody
@strawberry.type(description="A bar as it is now.")
class CandleUpdate:
    candle: Candle = strawberry.field(description="The bar. Its `time` tells which one it is.")
    closed: bool = strawberry.field(
        description="True where the bar is over and these are its stored values; it comes a second time only if they"
        " are corrected later. False while it is forming: then its volume is that of the part stored so far."
    )


@same_for_everybody
@strawberry.type(description="Bars column by column: arrays of one length, in ascending order.")
class CandleColumns:
    length: int = strawberry.field(description="How many bars there are.")
    time: list[float] = strawberry.field(description="Starts of the buckets, in unix milliseconds.")
    open: list[float] = strawberry.field(description="Prices of the first trades.")
    high: list[float] = strawberry.field(description="Highest prices.")
    low: list[float] = strawberry.field(description="Lowest prices.")
    close: list[float] = strawberry.field(description="Prices of the last trades.")
    volume: list[float] = strawberry.field(description="Volumes traded, in base currency.")


async def _columns(
    context: Context, markets: Sequence[tuple[str, str]], timeframe: Timeframe, window: Window
) -> list[stored.CandleColumns | FullonError]:
    """The bars of each (exchange, symbol), all in one statement. What has not been collected yet has none."""
    named = [Market(exchange, symbol) for exchange, symbol in markets]
    found = await candles.of_markets(context.worker.candles, context.caller, named, timeframe, window)
    return [stored.CandleColumns.empty() if isinstance(bars, NotFound) else bars for bars in found]


async def _rows(
    context: Context, markets: Sequence[tuple[str, str]], timeframe: Timeframe, window: Window
) -> list[stored.Bars | FullonError]:
    found = await _columns(context, markets, timeframe, window)
    return [bars if isinstance(bars, FullonError) else bars.bars() for bars in found]


def _read(
    timeframe: Timeframe, from_: From = None, to: To = None, last: LastBars = None, fill: Fill = False
) -> dict[str, Any]:
    return {"timeframe": timeframe, "window": Window(from_, to, last, bool(fill))}


CANDLES_OF_SYMBOL = Batch(("exchange_name", "symbol"), _rows, _read)
COLUMNS_OF_SYMBOL = Batch(("exchange_name", "symbol"), _columns, _read)
