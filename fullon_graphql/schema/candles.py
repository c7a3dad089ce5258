"""Candles, as rows and as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.engine.loaders import loader
from fullon_graphql.errors import FullonError
from fullon_graphql.ohlcv import candles as stored
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import MAX_BARS, Window
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.schema.scalars import DateTime
from fullon_graphql.services import candles

strawberry.enum(
    Timeframe,
    description="Length of a bar: minutes, hours, days, weeks (from Monday) and months (from the first), all in UTC.",
)

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
    bool,
    strawberry.argument(
        description="Put a bar with the last close and no volume where there was no trade, never before the first bar."
    ),
]


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


@strawberry.type(description="Bars column by column: arrays of one length, in ascending order.")
class CandleColumns:
    length: int = strawberry.field(description="How many bars there are.")
    time: list[float] = strawberry.field(description="Starts of the buckets, in unix milliseconds.")
    open: list[float] = strawberry.field(description="Prices of the first trades.")
    high: list[float] = strawberry.field(description="Highest prices.")
    low: list[float] = strawberry.field(description="Lowest prices.")
    close: list[float] = strawberry.field(description="Prices of the last trades.")
    volume: list[float] = strawberry.field(description="Volumes traded, in base currency.")


async def load_candles(
    context: Context, market: Market, timeframe: Timeframe, window: Window
) -> stored.CandleColumns:
    """The bars of one market; all markets that one operation asks alike for at a time cost one statement.

    Raises:
        NotFound: there are no tables for the market.
        BadUserInput: more bars than one answer may have.
    """

    async def fetch(markets: list[Market]) -> Sequence[stored.CandleColumns | FullonError]:
        return await candles.of_markets(context.process.candles, context.caller, markets, timeframe, window)

    return await loader(context, ("candles", timeframe, window), fetch).load(market)
