"""From stored bars and live prices to the updates of a subscriber. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.timeframes import Timeframe

WATCHED: Final = 500
"""Maximum number of closed bars that are compared with the store at each look."""

WATCHED_MINUTES: Final = 10_000
"""Maximum number of stored minutes read for that: fewer bars of longer timeframes, but at least two."""


class Update(NamedTuple):
    """The current state of a bar. `closed` bars have the values of the store."""

    candle: Candle
    closed: bool


class LiveBars:
    """The newest bars of one instrument and timeframe, as delivered to a subscriber.

    A bar is closed once the store is complete beyond its end, and has the stored values; it is delivered again if they
    change. The newest bar that is not closed is *forming*: its stored part and the prices seen since. Prices have no
    volume, so the volume of a forming bar is that of the stored part.

    The newest `kept` delivered bars are remembered. `since` is the start of the oldest bar that is still compared with
    the store; None for all.
    """

    def __init__(self, timeframe: Timeframe, kept: int) -> None:
        self.since: datetime | None = None
        self._timeframe = timeframe
        self._kept = kept
        self._boundary: datetime | None = None
        self._complete_until: datetime | None = None
        self._closed: dict[datetime, Candle] = {}
        self._stored: Candle | None = None
        self._live: Candle | None = None
        self._live_time: datetime | None = None
        self._delivered: Candle | None = None

    @property
    def is_new(self) -> bool:
        """True before the first `update_stored`."""
        return self._complete_until is None

    def update_stored(self, bars: Sequence[Candle], complete_until: datetime) -> Iterator[Update]:
        """Apply stored bars and return those to deliver: `bars` are all that start at or after `since`, in order.

        They must have been read after the store was known to be complete until `complete_until`. A bar counts as
        delivered when it is taken from the iterator.
        """
        self._complete_until = max(self._complete_until or complete_until, complete_until)
        self._boundary = boundary = self._timeframe.bucket_start(self._complete_until)
        self._stored = next((bar for bar in reversed(bars) if bar.time >= boundary), None)
        return self._closes([bar for bar in bars if bar.time < boundary])

    def add_price(self, time: datetime, price: float) -> None:
        """Apply a price paid at `time`. A price older than the last one is ignored."""
        if self._live_time and time < self._live_time:
            return
        self._live_time = time
        start = self._timeframe.bucket_start(time)
        if self._live and self._live.time == start:
            high, low = max(self._live.high, price), min(self._live.low, price)
            self._live = self._live._replace(high=high, low=low, close=price)
        else:
            self._live = Candle(start, price, price, price, price, volume=0.0)

    def forming(self) -> list[Update]:
        """The forming bar, if it differs from the last delivered one."""
        bar = self._forming()
        if bar is None or bar == self._delivered:
            return []
        self._delivered = bar
        return [Update(bar, closed=False)]

    def delivered(self, last: int) -> list[Update]:
        """The delivered state: the newest `last` closed bars in order, and the forming bar."""
        closed = [Update(self._closed[time], closed=True) for time in sorted(self._closed)[-last:]]
        forming = self._delivered if self._delivered and not self._is_closed(self._delivered) else None
        return [*closed, Update(forming, closed=False)] if forming else closed

    def _forming(self) -> Candle | None:
        stored, live = self._stored, self._live
        if live is None or self._is_closed(live):
            return stored
        if stored is None or stored.time < live.time:
            return live
        if live.time < stored.time:
            return stored
        newer = live if self._seen_beyond_the_store() else stored
        high, low = max(stored.high, live.high), min(stored.low, live.low)
        return Candle(stored.time, stored.open, high, low, newer.close, stored.volume)

    def _is_closed(self, bar: Candle) -> bool:
        return self._boundary is not None and bar.time < self._boundary

    def _seen_beyond_the_store(self) -> bool:
        return self._live_time is None or self._complete_until is None or self._live_time >= self._complete_until

    def _closes(self, bars: Sequence[Candle]) -> Iterator[Update]:
        for bar in bars:
            if self._closed.get(bar.time) != bar:
                self._closed[bar.time] = bar
                yield Update(bar, closed=True)
        self._forget()

    def _forget(self) -> None:
        watched = most_watched(self._timeframe)
        if len(self._closed) > watched:
            times = sorted(self._closed)
            self.since = times[-watched]
            for time in times[: -max(watched, self._kept)]:
                del self._closed[time]


def most_watched(timeframe: Timeframe) -> int:
    """Maximum number of closed bars of a timeframe that are compared with the store."""
    width = timeframe.width
    minutes = width.total_seconds() / 60 if width else 31 * 24 * 60
    return int(min(WATCHED, max(2, WATCHED_MINUTES // minutes)))
