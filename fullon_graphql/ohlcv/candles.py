"""One bar, many bars as columns, and the bars of a market."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, overload

from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe


class Candle(NamedTuple):
    """One bar: `time` is the start of its bucket (aware, UTC), `volume` is in base currency."""

    time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class CandleColumns:
    """Bars in ascending order, as lists of equal length; `time` is in unix milliseconds."""

    time: list[float]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]
    encodings: dict[Any, Any] = field(init=False, default_factory=dict, compare=False, repr=False)
    """JSON of these bars by the function that has written it, for all answers that share them."""

    @classmethod
    def empty(cls) -> CandleColumns:
        """No bars."""
        return cls([], [], [], [], [], [])

    @classmethod
    def of(cls, bars: Sequence[Candle]) -> CandleColumns:
        """The columns of bars in ascending order."""
        columns = list(zip(*bars, strict=True)) or [()] * len(Candle._fields)
        time, *prices = map(list, columns)
        return cls([one.timestamp() * 1000 for one in time], *prices)

    @property
    def length(self) -> int:
        """Number of bars."""
        return len(self.time)

    def reversed(self) -> CandleColumns:
        """The same bars in reverse order."""
        columns = (self.time, self.open, self.high, self.low, self.close, self.volume)
        return CandleColumns(*(column[::-1] for column in columns))

    def rows(self) -> list[Candle]:
        """The same bars as a list."""
        times = (datetime.fromtimestamp(milliseconds / 1000, UTC) for milliseconds in self.time)
        return list(map(Candle, times, self.open, self.high, self.low, self.close, self.volume))


class MarketCandle(NamedTuple):
    """One bar, with what identifies it. `time` is the start of its bucket (aware, UTC).

    `as_of` is the time at which it was known, None for the present.
    """

    time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    market: Market
    timeframe: Timeframe
    as_of: datetime | None = None


class Series(Sequence[MarketCandle]):
    """Bars of a market in ascending order: a sequence, and the attributes of its columns. Equal to itself only.

    JSON is written from the columns, without a `MarketCandle` per bar.
    """

    def __init__(
        self, market: Market, timeframe: Timeframe, columns: CandleColumns, as_of: datetime | None = None
    ) -> None:
        self.as_of = as_of
        self.market = market
        self.timeframe = timeframe
        self.columns = columns
        self.series = self
        self.length = columns.length
        self.encodings = columns.encodings
        self.time, self.open, self.high = columns.time, columns.open, columns.high
        self.low, self.close, self.volume = columns.low, columns.close, columns.volume

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> MarketCandle: ...

    @overload
    def __getitem__(self, index: slice) -> list[MarketCandle]: ...

    def __getitem__(self, index: int | slice) -> MarketCandle | list[MarketCandle]:
        return list(self)[index]

    def __iter__(self) -> Iterator[MarketCandle]:
        return (MarketCandle(*candle, self.market, self.timeframe, self.as_of) for candle in self.columns.rows())

    def json_column(self, name: str) -> Sequence[Any]:
        """The JSON values of one field of every bar; times as ISO 8601 text.

        Raises:
            ValueError: a number is not finite.
        """
        column: list[float] = getattr(self.columns, name)
        if not math.isfinite(sum(column)):  # finite only if every number is
            raise ValueError(f"{name} holds a number that is not finite")
        return iso_times(column) if name == "time" else column


def iso_times(column: Sequence[float]) -> list[str]:
    """Unix milliseconds as ISO 8601 text."""
    return list(map(_iso_time, column))


@lru_cache(maxsize=16_384)  # charts read the same minutes repeatedly; about 250 bytes each, 4 MB in all
def _iso_time(milliseconds: float) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
