"""The conditions of alerts, as functions of values. No I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

SAMPLES: Final = 240
"""Prices of one window that are kept; a window is therefore exact to 1/240 of its length."""


class AlertCondition(StrEnum):
    """The kind of a rule."""

    PRICE_CROSSES = "PRICE_CROSSES"
    CHANGE_PERCENT = "CHANGE_PERCENT"
    FEED_STALE = "FEED_STALE"
    SERVICE_FAILED = "SERVICE_FAILED"
    DRAWDOWN = "DRAWDOWN"
    ORDER_STATE = "ORDER_STATE"


class AlertDirection(StrEnum):
    """The direction in which a price moves."""

    ABOVE = "ABOVE"
    BELOW = "BELOW"
    ANY = "ANY"


def crosses(last: float | None, value: float, threshold: float, direction: str) -> bool:
    """True if a value has reached the threshold from one side. False if the last value is unknown."""
    if last is None:
        return False
    rises, falls = last < threshold <= value, last > threshold >= value
    return (rises and direction != AlertDirection.BELOW) or (falls and direction != AlertDirection.ABOVE)


def reaches(last: float | None, value: float, threshold: float) -> bool:
    """True if a value is at or above the threshold, and the last one was not or is unknown."""
    return value >= threshold and (last is None or last < threshold)


def has_changed_side(last: float | None, value: float, threshold: float) -> bool:
    """True if a value must be stored, because it is on another side of the threshold than the stored one."""
    return last is None or (last < threshold) != (value < threshold) or (last > threshold) != (value > threshold)


def signed_change(percent: float, direction: str) -> float:
    """The change as a number that is compared with a positive threshold."""
    if direction == AlertDirection.ANY:
        return abs(percent)
    return percent if direction == AlertDirection.ABOVE else -percent


@dataclass
class PriceWindow:
    """The prices of the last `seconds`, thinned out to `SAMPLES`."""

    seconds: float
    _samples: deque[tuple[float, float]] = field(default_factory=deque)

    def change_percent(self, time: float, price: float) -> float | None:
        """Add a price; the change since the start of the window, None until a price is that old."""
        if not self._samples or time - self._samples[-1][0] >= self.seconds / SAMPLES:
            self._samples.append((time, price))
        start = time - self.seconds
        while len(self._samples) > 1 and self._samples[1][0] <= start:
            self._samples.popleft()
        first_time, first_price = self._samples[0]
        if first_time > start or not first_price:
            return None
        return (price / first_price - 1) * 100
