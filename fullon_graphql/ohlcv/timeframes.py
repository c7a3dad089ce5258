"""Lengths of bars, and the alignment of their starts.

Buckets are aligned in UTC as TimescaleDB aligns them: fixed widths count from Monday 2000-01-03, so weeks begin on
Monday and three-day bars keep their phase; months begin on the first.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

ORIGIN: Final = datetime(2000, 1, 3, tzinfo=UTC)
"""The bucket start from which every fixed width is counted."""


class Timeframe(StrEnum):
    """The bar lengths of the platform: names as in GraphQL, values as in REST and on the exchanges."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    D3 = "3d"
    W1 = "1w"
    MN1 = "1M"

    @property
    def width(self) -> timedelta | None:
        """The length of a bar; None for months, whose length varies."""
        unit = _UNITS.get(self.value[-1])
        return unit and int(self.value[:-1]) * unit

    def bucket_start(self, time: datetime) -> datetime:
        """The start (UTC) of the bar that contains `time`, an aware datetime."""
        utc = time.astimezone(UTC)
        if self.width is None:
            return utc.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return utc - (utc - ORIGIN) % self.width

    def next_bucket(self, start: datetime) -> datetime:
        """The bucket start after the bucket start `start`."""
        if self.width is None:
            return self.bucket_start(start + timedelta(days=31))
        return start + self.width

    def consists_of(self, part: Timeframe) -> bool:
        """True if each bar of this timeframe consists of whole bars of `part`."""
        if part.width is None:
            return self is part
        return not (self.width or timedelta(days=1)) % part.width  # months consist of whole days


_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
