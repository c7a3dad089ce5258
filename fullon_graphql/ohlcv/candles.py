"""A bar, and many bars column by column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple


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
    """Bars in ascending order as lists of one length; `time` is in unix milliseconds."""

    time: list[float]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]

    @classmethod
    def empty(cls) -> CandleColumns:
        """No bars."""
        return cls([], [], [], [], [], [])

    @property
    def length(self) -> int:
        """How many bars there are."""
        return len(self.time)

    def rows(self) -> list[Candle]:
        """The same bars one by one."""
        times = (datetime.fromtimestamp(milliseconds / 1000, UTC) for milliseconds in self.time)
        return list(map(Candle, times, self.open, self.high, self.low, self.close, self.volume))
