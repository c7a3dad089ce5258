"""From trades to closed one-minute candles. No clock, no I/O."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from fullon_graphql.daemons.feeds.market_feed import MarketTrade
from fullon_graphql.ohlcv.candles import Candle

MINUTE = 60


def unusable(trade: MarketTrade, latest: float) -> str | None:
    """Why a trade is in no bar: an exchange's fault in its price, its volume or its time; None for a usable trade.

    `latest` is the newest possible time, in unix seconds.
    """
    if not 0 < trade.price < math.inf:
        return "no price"
    if not 0 <= trade.volume < math.inf:
        return "no volume"
    return None if 0 < trade.time <= latest else "in the future"


class FormingCandle:
    """The bar of a minute that is not over."""

    def __init__(self, trade: MarketTrade) -> None:
        self.open = self.high = self.low = self.close = trade.price
        self.volume = trade.volume
        self._first = self._last = trade.time
        self._ids = {trade.id}

    def add(self, trade: MarketTrade) -> None:
        """Add a trade; of two with the same time, the one added later closes the bar. A repeated one changes nothing.

        Trades without an id cannot be recognised as repeated.
        """
        if trade.id and trade.id in self._ids:
            return
        self._ids.add(trade.id)
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        self.volume += trade.volume
        if trade.time < self._first:
            self._first, self.open = trade.time, trade.price
        if trade.time >= self._last:
            self._last, self.close = trade.time, trade.price


class MinuteBars:
    """The forming bars of one symbol.

    The first bar is that of the first *whole* minute after `watched_since` (unix seconds): a minute that was watched
    in part has no candle.
    """

    def __init__(self, watched_since: float) -> None:
        self._open_from = math.ceil(watched_since / MINUTE) * MINUTE
        self._forming: dict[int, FormingCandle] = {}

    def add(self, trade: MarketTrade) -> bool:
        """Add a trade. False if its minute is closed already or was not watched from its beginning."""
        minute = math.floor(trade.time / MINUTE) * MINUTE
        if minute < self._open_from:
            return False
        if forming := self._forming.get(minute):
            forming.add(trade)
        else:
            self._forming[minute] = FormingCandle(trade)
        return True

    @property
    def open_from(self) -> int:
        """The start of the first minute that may still change, in unix seconds."""
        return self._open_from

    def drop_before(self, time: float) -> None:
        """Drop the bars of minutes before `time` and refuse further trades in them."""
        self._open_from = max(self._open_from, math.ceil(time / MINUTE) * MINUTE)
        for minute in [minute for minute in self._forming if minute < self._open_from]:
            del self._forming[minute]

    def close(self, now: float) -> list[Candle]:
        """The bars of the minutes that are over at `now`, in order, each once. Minutes without trades have none."""
        over = math.floor(now / MINUTE) * MINUTE
        self._open_from = max(self._open_from, over)
        done = sorted(minute for minute in self._forming if minute < over)
        return [_candle(minute, self._forming.pop(minute)) for minute in done]


def _candle(minute: int, bar: FormingCandle) -> Candle:
    return Candle(datetime.fromtimestamp(minute, UTC), bar.open, bar.high, bar.low, bar.close, bar.volume)
