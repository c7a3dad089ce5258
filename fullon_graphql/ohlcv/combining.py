"""Bars of one symbol from several sources. No I/O.

The sources of a symbol are in order of preference. A bucket has the bar of the first source that covers it, and of the
first source with any row in it if none does. A source covers a bucket if its rows begin before the bucket's start and
end after its end; the source with the newest row of all is written live, and covers the bucket of that row too.

Times are unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, NamedTuple

from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.timeframes import ORIGIN, Timeframe

_ORIGIN: Final = ORIGIN.timestamp() * 1000


class Gap(NamedTuple):
    """A range [start, end) that the preferred source leaves open; None is unbounded."""

    start: float | None
    end: float | None


class Span(NamedTuple):
    """The times of the oldest and of the newest row of a source, and the width of its rows; None is unknown."""

    oldest: float | None
    newest: float | None
    width: float


class Bar(NamedTuple):
    """A bar and the place of its source in the order of preference."""

    time: float
    rank: int
    values: tuple[float, ...]
    """Open, high, low, close and volume."""


class Buckets:
    """The buckets of a timeframe in milliseconds."""

    def __init__(self, timeframe: Timeframe) -> None:
        self.timeframe = timeframe
        self._width = timeframe.width.total_seconds() * 1000 if timeframe.width else None  # read for every bar

    def start(self, time: float) -> float:
        """The start of the bucket that contains `time`."""
        if self._width is None:
            return _milliseconds(self.timeframe.bucket_start(_time(time)))
        return time - (time - _ORIGIN) % self._width

    def following(self, time: float) -> float:
        """The time one bucket after `time`."""
        if self._width is None:
            return _milliseconds(self.timeframe.next_bucket(_time(time)))
        return time + self._width

    def ceiling(self, time: float) -> float:
        """The first bucket start at or after `time`."""
        start = self.start(time)
        return start if start == time else self.following(start)

    def contiguous(self, times: Sequence[float]) -> bool:
        """True if there is no empty bucket between the first and the last of `times`, which are in order."""
        if self._width is None:
            return all(self.following(one) == other for one, other in pairwise(times))
        return times[-1] - times[0] == (len(times) - 1) * self._width


def gaps(buckets: Buckets, times: Sequence[float], start: float | None, end: float | None) -> list[Gap]:
    """The parts of [start, end) without a bar; `times` are the bars' in order, `start` is a bucket start."""
    if not times:
        return [Gap(start, end)]
    edges = [Gap(start, times[0])] if start is None or start < times[0] else []
    if not buckets.contiguous(times):
        edges += [Gap(after, other) for one, other in pairwise(times) if (after := buckets.following(one)) < other]
    after = buckets.following(times[-1])
    return [*edges, Gap(after, end)] if end is None or after < end else edges


def overlapping(spans: Iterable[Span], open_: Iterable[Gap]) -> list[Gap]:
    """The gaps in which a source with one of `spans` may have rows."""
    known = list(spans)
    return [gap for gap in open_ if any(_overlaps(span, gap) for span in known)]


def uncovered(buckets: Buckets, spans: Sequence[Span], rank: int) -> set[float]:
    """The starts of the buckets, at most two, that the source with this rank has rows in without covering them."""
    span, found = spans[rank], set()
    if span.oldest is not None and span.oldest > (start := buckets.start(span.oldest)):
        found.add(start)
    if span.newest is not None and span.newest < max(other.newest or span.newest for other in spans):
        start = buckets.start(span.newest)
        if span.newest + span.width < buckets.following(start):
            found.add(start)
    return found


def combined(buckets: Buckets, bars: Iterable[Bar], partial: Sequence[set[float]]) -> list[Bar]:
    """One bar per bucket, in order of time; `partial` has the result of `uncovered` for each rank."""
    best: dict[float, tuple[bool, int]] = {}
    chosen: dict[float, Bar] = {}
    for bar in bars:
        start = buckets.start(bar.time)
        order = (start in partial[bar.rank], bar.rank)
        if start not in best or order < best[start]:
            best[start], chosen[start] = order, bar
    return sorted(chosen.values())


def filled(
    timeframe: Timeframe, bars: Sequence[Candle], first: datetime, last: datetime, carried: float
) -> Iterator[Candle]:
    """A bar for every bucket from `first` to `last`: an empty one repeats the close before it, at first `carried`."""
    known = {timeframe.bucket_start(bar.time): bar for bar in bars}
    while first <= last:
        bar = known.get(first)
        bar = Candle(first, carried, carried, carried, carried, 0.0) if bar is None else bar._replace(time=first)
        yield bar
        carried, first = bar.close, timeframe.next_bucket(first)


def _overlaps(span: Span, gap: Gap) -> bool:
    begins_before_end = gap.end is None or span.oldest is None or span.oldest < gap.end
    ends_after_start = gap.start is None or span.newest is None or span.newest + span.width > gap.start
    return begins_before_end and ends_after_start


def _time(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _milliseconds(time: datetime) -> float:
    return time.timestamp() * 1000
