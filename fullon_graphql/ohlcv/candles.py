"""A bar, and many bars column by column."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, overload


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

    def reversed(self) -> CandleColumns:
        """The same bars the other way round."""
        columns = (self.time, self.open, self.high, self.low, self.close, self.volume)
        return CandleColumns(*(column[::-1] for column in columns))

    def bars(self) -> Bars:
        """The same bars as a sequence that makes each of them only when it is looked at."""
        return Bars(self)

    def rows(self) -> list[Candle]:
        """The same bars one by one."""
        times = (datetime.fromtimestamp(milliseconds / 1000, UTC) for milliseconds in self.time)
        return list(map(Candle, times, self.open, self.high, self.low, self.close, self.volume))


class Bars(Sequence[Candle]):
    """Bars one by one, over columns. Written as JSON they are never made at all."""

    def __init__(self, columns: CandleColumns) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return self._columns.length

    @overload
    def __getitem__(self, index: int) -> Candle: ...

    @overload
    def __getitem__(self, index: slice) -> list[Candle]: ...

    def __getitem__(self, index: int | slice) -> Candle | list[Candle]:
        return self._columns.rows()[index]

    def __iter__(self) -> Iterator[Candle]:
        return iter(self._columns.rows())

    def json_column(self, name: str) -> Sequence[Any]:
        """One field of every bar as JSON has it; times as ISO 8601 text.

        Raises:
            ValueError: a number is not finite, which JSON cannot say.
        """
        column: list[float] = getattr(self._columns, name)
        if not math.isfinite(sum(column)):  # finite only where every number is
            raise ValueError(f"{name} holds a number that JSON cannot say")
        return list(map(_iso_time, column)) if name == "time" else column


@lru_cache(maxsize=100_000)  # charts ask for the same minutes again and again
def _iso_time(milliseconds: float) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
