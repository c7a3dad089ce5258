"""Recorded prices of markets in order of time: trades if they are stored, else bars, page by page."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import datetime
from enum import IntEnum
from heapq import heapify, heappop, heapreplace
from typing import Final, NamedTuple

from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.stored import Extent
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import Window
from fullon_graphql.services.candles import MarketData

PAGE: Final = 1_000
"""Rows of one statement: a page takes about 300 kB."""


class Kind(IntEnum):
    """The origin of a tick. Of ticks with the same time, the lower kind comes first."""

    PART = 0
    """A stored bar that has ended."""
    CLOSE = 1
    """A bar of the requested timeframe that has ended."""
    TRADE = 2
    """A trade, as a bar of one price."""


class Tick(NamedTuple):
    """A recorded price, at the time at which it was known: the time of a trade, or the end of a bar (UTC)."""

    time: datetime
    kind: Kind
    market: Market
    bar: Candle


Ticks = AsyncGenerator[Tick, None]


async def ticks(data: MarketData, market: Market, start: datetime, end: datetime, page: int = PAGE) -> Ticks:
    """The trades of a market in [start, end); before and after the stored trades, the bars that end there.

    The bars are the shortest that are stored. Rows are read when they are needed, `page` at a time. Closing the
    generator ends the reading.

    Raises:
        NotFound: the market is neither in the catalogue nor in the candle store.
    """
    extents = await data.extents(market)
    lengths = [one.timeframe for one in extents if one.timeframe]
    shortest = min(lengths, key=list(Timeframe).index, default=None)
    first, last = _minutes_of_trades(extents) or (end, end)
    parts: list[Ticks] = []
    if shortest and start < min(first, end):
        parts.append(bars(data, market, shortest, start, min(first, end), Kind.PART, page))
    if max(start, first) < min(last, end):
        parts.append(_trades(data, market, max(start, first), min(last, end), page))
    if shortest and max(start, last) < end:
        parts.append(bars(data, market, shortest, max(start, last), end, Kind.PART, page))
    for part in parts:
        async with aclosing(part):
            async for tick in part:
                yield tick


async def bars(
    data: MarketData, market: Market, timeframe: Timeframe, start: datetime, end: datetime, kind: Kind, page: int = PAGE
) -> Ticks:
    """The bars of a timeframe that start at or after `start` and end until `end`, as the query returns them."""
    while start < end:
        found = (await data.candles(market, timeframe, Window(start, end, first=page))).rows()
        for bar in found:
            time = timeframe.next_bucket(timeframe.bucket_start(bar.time))
            if time <= end and math.isfinite(sum(bar[1:])):  # JSON has no other numbers
                yield Tick(time, kind, market, bar)
        if len(found) < page:
            return
        start = timeframe.next_bucket(timeframe.bucket_start(found[-1].time))


async def merged(streams: Sequence[Ticks]) -> Ticks:
    """The ticks of several streams in order of time and kind; of equal ones, those of the first stream come first."""
    async with AsyncExitStack() as stack:
        for stream in streams:
            await stack.enter_async_context(aclosing(stream))
        heads = [
            (tick.time, tick.kind, place, tick)
            for place, stream in enumerate(streams)
            if (tick := await anext(stream, None))
        ]
        heapify(heads)
        while heads:
            *_, place, tick = heads[0]
            yield tick
            following = await anext(streams[place], None)
            if following:
                heapreplace(heads, (following.time, following.kind, place, following))
            else:
                heappop(heads)


async def _trades(data: MarketData, market: Market, start: datetime, end: datetime, page: int) -> Ticks:
    skip = 0
    while True:
        found = await data.trades_page(market, start, end, page, skip)
        for time, price, volume in found:
            yield Tick(time, Kind.TRADE, market, Candle(time, price, price, price, price, volume))
        if len(found) < page:
            return
        newest = found[-1].time
        same = sum(trade.time == newest for trade in found)
        start, skip = newest, same + (skip if newest == start else 0)


def _minutes_of_trades(extents: Sequence[Extent]) -> tuple[datetime, datetime] | None:
    """The whole minutes from the first stored trade until the last one; None without trades."""
    for extent in extents:
        if extent.timeframe is None:
            newest = Timeframe.M1.bucket_start(extent.newest)
            return Timeframe.M1.bucket_start(extent.oldest), Timeframe.M1.next_bucket(newest)
    return None
