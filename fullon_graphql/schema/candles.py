"""Candles, as rows and as columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import strawberry
from strawberry.federation.schema_directives import Cost

from fullon_graphql.engine.audience import same_for_everybody
from fullon_graphql.engine.cost import list_size
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.ohlcv.store import MAX_BARS, Window
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import candles

described(
    Timeframe,
    "Length of a bar: minutes, hours, days, weeks (from Monday) or months (from the first day), in UTC.",
    {timeframe: f"Written as `{timeframe.value}` in REST and by exchanges." for timeframe in Timeframe},
)

BarLength = Annotated[Timeframe, strawberry.argument(description="Length of the bars.")]

From = Annotated[
    DateTime | None,
    strawberry.argument(name="from", description="Return only bars that start at or after this time."),
]
To = Annotated[DateTime | None, strawberry.argument(description="Return only bars that start before this time.")]
LastBars = Annotated[
    int | None,
    strawberry.argument(
        description=f"Return only the newest N existing bars. No answer has more than {MAX_BARS} bars."
    ),
]
Fill = Annotated[
    bool | None,
    strawberry.argument(
        description="If true, a period without trades has a bar with the previous close and volume 0, except before"
        " the first bar."
    ),
]


VALUE: Final = Cost(weight=1)
FREE: Final = Cost(weight=0)
BARS: Final = list_size(MAX_BARS, ["last"])
COLUMNS: Final = list_size(MAX_BARS, ["last"], ["time", "open", "high", "low", "close", "volume"])


def estimated_bars(arguments: Mapping[str, Any]) -> int:
    """The most bars that a window can have, by `last` or by the range."""
    if arguments.get("last") is not None:
        return min(max(0, int(arguments["last"])), MAX_BARS)
    if arguments.get("from") is None:
        return MAX_BARS
    length: timedelta = (arguments.get("to") or datetime.now(UTC)) - arguments["from"]
    width = Timeframe(arguments["timeframe"]).width or timedelta(days=28)
    return min(max(0, math.ceil(length / width)), MAX_BARS)


@same_for_everybody
@strawberry.type(description="One bar. Prices are in quote currency.")
class Candle:
    time: DateTime = strawberry.field(
        description="Start of the bar, UTC; weeks start on Monday, months on the first day.", directives=[VALUE]
    )
    open: float = strawberry.field(description="Price of the first trade.", directives=[VALUE])
    high: float = strawberry.field(description="Highest price.", directives=[VALUE])
    low: float = strawberry.field(description="Lowest price.", directives=[VALUE])
    close: float = strawberry.field(description="Price of the last trade.", directives=[VALUE])
    volume: float = strawberry.field(description="Traded volume in base currency.", directives=[VALUE])


@same_for_everybody
@strawberry.type(description="The current state of a bar.")
class CandleUpdate:
    candle: Candle = strawberry.field(description="The bar; its `time` identifies it.")
    closed: bool = strawberry.field(
        description="True if the bar is complete and these are its stored values; a closed bar is sent again only if"
        " its values are corrected. False while the bar is forming; its volume then covers the stored part only."
    )


@same_for_everybody
@strawberry.type(description="Bars column by column: arrays of equal length, in ascending order of time.")
class CandleColumns:
    length: int = strawberry.field(description="Number of bars.")
    time: list[float] = strawberry.field(description="Starts of the bars, in Unix milliseconds.", directives=[VALUE])
    open: list[float] = strawberry.field(description="Prices of the first trades.", directives=[VALUE])
    high: list[float] = strawberry.field(description="Highest prices.", directives=[VALUE])
    low: list[float] = strawberry.field(description="Lowest prices.", directives=[VALUE])
    close: list[float] = strawberry.field(description="Prices of the last trades.", directives=[VALUE])
    volume: list[float] = strawberry.field(description="Traded volumes in base currency.", directives=[VALUE])


def _parse(
    timeframe: BarLength, from_: From = None, to: To = None, last: LastBars = None, fill: Fill = False
) -> dict[str, Any]:
    return {"timeframe": timeframe, "window": Window(from_, to, last, bool(fill))}


# Bars are passed on as they are stored: an object per bar would cost more than everything else.
CANDLES_OF_SYMBOL = Batch(("exchange_name", "symbol"), candles.bars_of_instruments, _parse)
COLUMNS_OF_SYMBOL = Batch(("exchange_name", "symbol"), candles.columns_of_instruments, _parse)
