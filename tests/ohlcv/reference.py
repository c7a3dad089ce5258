"""Resampling, windows and filling in plain Python. It shares only the buckets with the SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import Window


def resampled(rows: Sequence[Candle], timeframe: Timeframe) -> list[Candle]:
    """Bars of `timeframe` from rows in order of time."""
    return [
        _bar(start, list(group)) for start, group in groupby(rows, key=lambda row: timeframe.bucket_start(row.time))
    ]


def answer(rows: Sequence[Candle], timeframe: Timeframe, window: Window, now: datetime) -> list[Candle]:
    bars = resampled(rows, timeframe)
    if window.fill:
        bars = _filled(bars, timeframe, window.end, now)
    inside = [bar for bar in bars if _inside(bar, window)]
    return inside[-window.last :] if window.last else inside


def _bar(start: datetime, rows: list[Candle]) -> Candle:
    return Candle(
        start,
        rows[0].open,
        max(row.high for row in rows),
        min(row.low for row in rows),
        rows[-1].close,
        sum(row.volume for row in rows),
    )


def _filled(bars: list[Candle], timeframe: Timeframe, end: datetime | None, now: datetime) -> list[Candle]:
    """Every bucket from the first bar to the newest, or to `end`, but not after now."""
    existing = {bar.time: bar for bar in bars if end is None or bar.time < end}
    if not existing:
        return []
    last = max(existing)
    time, filled = min(existing), [existing[min(existing)]]
    while (time := timeframe.next_bucket(time)) <= last or (end is not None and time < end and time <= now):
        close = filled[-1].close
        filled.append(existing.get(time, Candle(time, close, close, close, close, 0)))
    return filled


def _inside(bar: Candle, window: Window) -> bool:
    return (window.start is None or window.start <= bar.time) and (window.end is None or bar.time < window.end)
