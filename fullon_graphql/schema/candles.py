"""Candles, as rows and as columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import strawberry
from strawberry.federation.schema_directives import Cost

from fullon_graphql.config import Subgraph
from fullon_graphql.engine.audience import same_for_everybody
from fullon_graphql.engine.cost import list_size
from fullon_graphql.engine.model.batches import Batch, batched
from fullon_graphql.engine.subgraphs import part_of
from fullon_graphql.ohlcv.coverage import MOST_DAYS, MOST_GAPS
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import MAX_BARS, Window
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import candles
from fullon_graphql.services.access import CANDLES

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

AsOf = Annotated[
    DateTime | None,
    strawberry.argument(
        description="Return the bars as they were known at this time: before later corrections by this program, and"
        " without later trades. A candle counts if its period had ended. Rows that were added later, like those of a"
        " backfill, count like rows stored at once."
    ),
]

CoveredFrom = Annotated[
    DateTime | None,
    strawberry.argument(
        name="from",
        description=f"Start of the period; by default the oldest stored minute. A period has at most {MOST_DAYS} days.",
    ),
]
CoveredTo = Annotated[
    DateTime | None,
    strawberry.argument(description="End of the period, excluded; by default, and at most, the current minute."),
]


VALUE: Final = Cost(weight=1)
FREE: Final = Cost(weight=0)
BARS: Final = list_size(MAX_BARS, ["last"])
COLUMNS: Final = list_size(
    MAX_BARS,
    ["last"],
    ["time", "open", "high", "low", "close", "volume", "trades", "vwap", "buyVolume", "sellVolume"],
)


def estimated_bars(arguments: Mapping[str, Any]) -> int:
    """The most bars that a window can have, by `last` or by the range."""
    if arguments.get("last") is not None:
        return min(max(0, int(arguments["last"])), MAX_BARS)
    if arguments.get("from") is None:
        return MAX_BARS
    length: timedelta = (arguments.get("to") or datetime.now(UTC)) - arguments["from"]
    width = Timeframe(arguments["timeframe"]).width or timedelta(days=28)
    return min(max(0, math.ceil(length / width)), MAX_BARS)


def _figure(name: str) -> Batch:
    """A figure of the trades of one bar."""
    local = ("market", "timeframe", "time", "as_of")
    return Batch(local, candles.figures_of_bars, build=_part(name), shared=True, for_everybody=True)


def _column(name: str) -> Batch:
    """A figure of the trades of each bar."""
    return Batch(("series",), candles.figures_of_series, build=_part(name), shared=True, for_everybody=True)


def _part(name: str) -> Callable[[object], Any]:
    return lambda figures: getattr(figures, name, None)


@part_of(Subgraph.OHLCV, CANDLES)
@same_for_everybody
@strawberry.type(
    description="One bar. Prices are in quote currency. `trades`, `vwap`, `buyVolume` and `sellVolume` are of the"
    " public trades that are stored; they are null if none are stored for the bar, or only for a part of it."
)
class Candle:
    time: DateTime = strawberry.field(
        description="Start of the bar, UTC; weeks start on Monday, months on the first day.", directives=[VALUE]
    )
    open: float = strawberry.field(description="Price of the first trade.", directives=[VALUE])
    high: float = strawberry.field(description="Highest price.", directives=[VALUE])
    low: float = strawberry.field(description="Lowest price.", directives=[VALUE])
    close: float = strawberry.field(description="Price of the last trade.", directives=[VALUE])
    volume: float = strawberry.field(description="Traded volume in base currency.", directives=[VALUE])
    trades: int | None = batched("Number of the stored trades.", _figure("trades"), directives=[VALUE])
    vwap: float | None = batched(
        "Average price of the stored trades, weighted by their volumes. Null also if they have no volume.",
        _figure("vwap"),
        directives=[VALUE],
    )
    buy_volume: float | None = batched(
        "Volume of the stored trades whose taker bought, in base currency. Null also if the trades have no side.",
        _figure("buy_volume"),
        directives=[VALUE],
    )
    sell_volume: float | None = batched(
        "Volume of the stored trades whose taker sold, in base currency. Null also if the trades have no side.",
        _figure("sell_volume"),
        directives=[VALUE],
    )


@part_of(Subgraph.OHLCV, CANDLES)
@same_for_everybody
@strawberry.type(description="The current state of a bar.")
class CandleUpdate:
    candle: Candle = strawberry.field(description="The bar; its `time` identifies it.")
    closed: bool = strawberry.field(
        description="True if the bar is complete and these are its stored values; a closed bar is sent again only if"
        " its values are corrected. False while the bar is forming; its volume then covers the stored part only."
    )


@part_of(Subgraph.OHLCV, CANDLES)
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
    trades: list[int | None] = batched(
        "Numbers of stored trades; null as in `Candle`.", _column("trades"), directives=[VALUE]
    )
    vwap: list[float | None] = batched(
        "Average prices of the stored trades; null as in `Candle`.", _column("vwap"), directives=[VALUE]
    )
    buy_volume: list[float | None] = batched(
        "Volumes whose taker bought; null as in `Candle`.", _column("buy_volume"), directives=[VALUE]
    )
    sell_volume: list[float | None] = batched(
        "Volumes whose taker sold; null as in `Candle`.", _column("sell_volume"), directives=[VALUE]
    )


@same_for_everybody
@strawberry.type(description="A period without bars in which there may have been trades.")
class CandleGap:
    from_: DateTime = strawberry.field(name="from", description="Start of the first missing minute, UTC.")
    to: DateTime = strawberry.field(description="End of the last missing minute, UTC.")
    minutes: int = strawberry.field(description="Number of missing minutes.")


@part_of(Subgraph.OHLCV, CANDLES)
@same_for_everybody
@strawberry.type(
    description="Which one-minute bars of a period are stored. A minute without a bar is known to be without trades if"
    " the exchange's own candles of that time have been read, or if the stored trades before and after it have"
    " consecutive trade ids. Any other minute without a bar is missing."
)
class CandleCoverage(FromRecord):
    from_: DateTime = strawberry.field(name="from", description="Start of the period: a whole minute, UTC.")
    to: DateTime = strawberry.field(description="End of the period: a whole minute that has begun, UTC.")
    expected_minutes: int = strawberry.field(
        description="Minutes of the period without those that are known to be without trades."
    )
    stored_minutes: int = strawberry.field(
        description="Minutes with a bar. `expectedMinutes - storedMinutes` are missing."
    )
    empty_minutes: int = strawberry.field(description="Minutes that are known to be without trades.")
    gap_count: int = strawberry.field(description="Number of gaps in the period.")
    gaps: list[CandleGap] = strawberry.field(
        description=f"The oldest {MOST_GAPS} gaps, in order of time. For the next ones, ask again from the end of the"
        " last."
    )
    last_trade_at: DateTime | None = strawberry.field(
        description="Time of the newest stored trade before the end of the period; the start of the newest minute with"
        " a volume if only candles are stored; null if nothing is stored."
    )


def _parse(
    timeframe: BarLength,
    from_: From = None,
    to: To = None,
    last: LastBars = None,
    fill: Fill = False,
    as_of: AsOf = None,
) -> dict[str, Any]:
    return {"timeframe": timeframe, "window": Window(from_, to, last, bool(fill), as_of=as_of)}


# Bars are passed on as they are stored: an object per bar would cost more than everything else.
SERIES_OF_SYMBOL = Batch(("exchange_name", "symbol"), candles.series_of_instruments, _parse)
