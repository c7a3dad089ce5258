"""Figures of the stored trades of bars: their number, average price, and volume by side. No I/O.

The trades of a symbol may begin and end within a bar of which other sources have more. Such a bar has no figures.
Trades cover whole minutes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from fullon_graphql.ohlcv.combining import Buckets
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe

MINUTE = 60_000


class TradeFigures(NamedTuple):
    """The trades of one bar. `vwap` is None without a volume; the volumes by side are None if no trade has a side."""

    trades: int
    vwap: float | None
    buy_volume: float | None
    sell_volume: float | None


class Stretch(NamedTuple):
    """The bars of a market from the one that contains `first` until the one that contains `last`.

    With `as_of`, their trades until that time.
    """

    market: Market
    timeframe: Timeframe
    first: datetime
    last: datetime
    as_of: datetime | None = None


FiguresByTime = Mapping[float, TradeFigures]
"""By the start of the bucket in unix milliseconds; buckets without trades are missing."""


class Edges(NamedTuple):
    """The times of the oldest and the newest row of a source in unix milliseconds; None is unknown."""

    oldest: float | None
    newest: float | None


def by_time(
    timeframe: Timeframe, columns: Sequence[Sequence[float]], trades: Edges, others: Sequence[Edges]
) -> FiguresByTime:
    """The figures of each bucket, from the columns time, trades, vwap, buy and sell volume; NaN is null."""
    partial = partial_buckets(Buckets(timeframe), trades, others)
    return {
        time: TradeFigures(round(count), *map(_or_none, values))
        for time, count, *values in zip(*columns, strict=True)
        if time not in partial
    }


def partial_buckets(buckets: Buckets, trades: Edges, others: Sequence[Edges]) -> set[float]:
    """The starts of the buckets, at most two, that the trades cover in part, and other sources further."""
    found = set()
    if trades.oldest is not None:
        begin = trades.oldest // MINUTE * MINUTE
        start = buckets.start(begin)
        if start < begin and any(other.oldest is not None and other.oldest < begin for other in others):
            found.add(start)
    if trades.newest is not None:
        end = trades.newest // MINUTE * MINUTE + MINUTE
        start = buckets.start(trades.newest)
        if end < buckets.following(start) and any(other.newest is not None and other.newest >= end for other in others):
            found.add(start)
    return found


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number
