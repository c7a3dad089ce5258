"""From stored bars and live prices to the updates of a subscriber. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Final, NamedTuple

from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.timeframes import Timeframe

WATCHED: Final = 500
"""Maximum number of closed bars that are compared with the store at each look."""

WATCHED_MINUTES: Final = 10_000
"""Maximum number of stored minutes read for that: fewer bars of longer timeframes, but at least two."""


LIVE_MINUTES: Final = 60
"""Maximum number of minutes that are kept apart while nothing is stored; older ones are joined."""

MINUTE: Final = timedelta(minutes=1)


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
        self._stored_until: datetime | None = None
        self._live: dict[datetime, Candle] = {}
        """Bars of the minutes of the forming bar that the store does not have yet, by minute."""
        self._live_time: datetime | None = None
        self._delivered: Candle | None = None

    @property
    def is_new(self) -> bool:
        """True before the first `update_stored`."""
        return self._complete_until is None

    def update_stored(
        self, bars: Sequence[Candle], complete_until: datetime, stored_until: datetime | None = None
    ) -> Iterator[Update]:
        """Apply stored bars and return those to deliver: `bars` are all that start at or after `since`, in order.

        They must have been read after the store was known to be complete until `complete_until`. Of the minutes before
        `stored_until` (by default the same) the store knows every price, so those seen live are dropped. A bar counts
        as delivered when it is taken from the iterator.
        """
        self._complete_until = max(self._complete_until or complete_until, complete_until)
        self._boundary = boundary = self._timeframe.bucket_start(self._complete_until)
        self._stored = next((bar for bar in reversed(bars) if bar.time >= boundary), None)
        self._stored_until = stored_until or complete_until
        self._live = {minute: bar for minute, bar in self._live.items() if minute + MINUTE > self._stored_until}
        return self._closes([bar for bar in bars if bar.time < boundary])

    def add_price(self, time: datetime, price: float) -> None:
        """Apply a price paid at `time`. A price older than the last one, or than the stored ones, is ignored."""
        if (self._live_time and time < self._live_time) or (self._stored_until and time < self._stored_until):
            return
        if self._live_time and self._timeframe.bucket_start(time) != self._timeframe.bucket_start(self._live_time):
            self._live.clear()
        self._live_time = time
        minute = Timeframe.M1.bucket_start(time)
        bar = Candle(minute, price, price, price, price, volume=0.0)
        self._live[minute] = joined(self._live[minute], bar) if minute in self._live else bar
        if len(self._live) > LIVE_MINUTES:
            oldest, second, *_ = self._live
            self._live[second] = joined(self._live.pop(oldest), self._live[second])

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
        stored, live = self._stored, self._live_bar()
        if live is None or self._is_closed(live):
            return stored
        if stored is None or stored.time < live.time:
            return live
        if live.time < stored.time:
            return stored
        return joined(stored, live)

    def _live_bar(self) -> Candle | None:
        """The prices that the store does not have yet, as a bar."""
        if not self._live:
            return None
        bar = reduce(joined, self._live.values())
        return bar._replace(time=self._timeframe.bucket_start(bar.time))

    def _is_closed(self, bar: Candle) -> bool:
        return self._boundary is not None and bar.time < self._boundary

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


def joined(earlier: Candle, later: Candle) -> Candle:
    """The bar of two consecutive bars, with the time of the earlier one."""
    high, low = max(earlier.high, later.high), min(earlier.low, later.low)
    return Candle(earlier.time, earlier.open, high, low, later.close, earlier.volume + later.volume)
