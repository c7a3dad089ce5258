"""Reads of values that the platform's programs keep in Redis, counted for the whole process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class ReadMeter:
    """Reads since the start of the process: those that found a value, those that found none, and their time."""

    hits: int = 0
    misses: int = 0
    seconds: float = 0.0

    def add(self, seconds: float, *, hit: bool) -> None:
        """Count a read that took so many seconds."""
        self.hits += hit
        self.misses += not hit
        self.seconds += seconds

    @property
    def reads(self) -> int:
        """All reads."""
        return self.hits + self.misses

    @property
    def milliseconds(self) -> float | None:
        """The mean time of a read; None before the first."""
        return 1_000 * self.seconds / self.reads if self.reads else None


CACHED_BARS: Final = ReadMeter()
"""Reads of cached bars; a read without any bar is a miss."""
TRADE_QUEUES: Final = ReadMeter()
"""Reads of queues of public trades; a read of an empty queue is a miss."""
