"""One-minute candles of the past, as the simulated market would have left them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Final

from fullon_graphql.embedded.demo_catalogue import Instrument
from fullon_graphql.embedded.market import DAILY_MOVE, DAY, Prices
from fullon_graphql.ohlcv.candles import Candle

DAYS: Final = 90
"""How far the history goes back."""

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_MINUTE_MOVE: Final = DAILY_MOVE * math.sqrt(60 / DAY)
"""How far a price strays in a minute: a random walk grows with the root of the time."""
_WICK: Final = _MINUTE_MOVE / 2
_WORTH: Final = 60_000.0
"""What the trades of a minute are worth on average, in the quote currency: as much as in the live market."""
_EMPTY_CHANCE: Final = 0.02
_OUTAGE_CHANCE: Final = 0.025
_OUTAGE_MINUTES: Final = (5, 45)
"""Single minutes without a trade, and once in 40 hours a longer silence: together some three percent."""


def history(prices: Prices, instrument: Instrument, seed: int, now: datetime) -> Iterator[Candle]:
    """The candles of the last 90 days before `now`, in order, some three percent of them missing.

    At every full hour and at the end they meet the price of the simulated market; in between they stray at random.
    Whole hours depend on the seed alone, so they are the same whenever they are made. The last hour has no gaps.
    """
    end = now.replace(second=0, microsecond=0)
    hour = (end - timedelta(days=DAYS)).replace(minute=0)
    while hour < end:
        rng = Random(f"{seed}:{instrument.exchange}:{instrument.symbol}:{hour:%Y-%m-%dT%H}")  # noqa: S311  # no secret
        until = min(hour + _HOUR, end)
        candles = _stretch(prices, instrument, rng, hour, until)
        yield from candles if until == end else _with_gaps(candles, rng)
        hour = until


def _stretch(prices: Prices, instrument: Instrument, rng: Random, start: datetime, end: datetime) -> list[Candle]:
    """A candle for every minute from `start` to `end`; each opens where the one before it closed."""
    first, last = (prices.price(instrument.exchange, instrument.symbol, at.timestamp()) for at in (start, end))
    decimals, chance = instrument.decimals, rng.random
    path = [round(price, decimals) for price in _path(rng, first, last, (end - start) // _MINUTE)]
    opens, closes = path[:-1], path[1:]
    # half a million candles are made at every first start: columns and local names take half the time of rows
    times = [start + minute * _MINUTE for minute in range(len(opens))]
    bodies = [(o, c) if o > c else (c, o) for o, c in zip(opens, closes, strict=True)]
    highs = [round(top * (1 + _WICK * chance()), decimals) for top, _ in bodies]
    lows = [round(bottom * (1 - _WICK * chance()), decimals) for _, bottom in bodies]
    volumes = [round(_WORTH / first * (0.2 + 1.6 * chance()), 6) for _ in opens]
    return list(map(Candle, times, opens, highs, lows, closes, volumes))


def _path(rng: Random, first: float, last: float, minutes: int) -> list[float]:
    """A random walk from `first` to `last` in so many steps (a Brownian bridge)."""
    strayed = list(accumulate([rng.gauss(0, _MINUTE_MOVE) for _ in range(minutes)], initial=0.0))
    slope = (last / first - 1 - strayed[-1]) / minutes
    return [first * (1 + stray + slope * minute) for minute, stray in enumerate(strayed)]


def _with_gaps(candles: list[Candle], rng: Random) -> list[Candle]:
    silence = rng.randrange(*_OUTAGE_MINUTES) if rng.random() < _OUTAGE_CHANCE else 0
    begin = rng.randrange(len(candles) - silence + 1)
    heard = candles[:begin] + candles[begin + silence :]
    return [candle for candle in heard if rng.random() >= _EMPTY_CHANCE]
