"""Figures of queues whose items other programs consume, as far as this process has seen them.

The queues are in Redis and have no counters. Each time a request reads their sizes, the meter compares them with the
sizes before: a queue that has become shorter has been consumed. So the figures are lower bounds.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

WINDOW_SECONDS: Final = 300.0
"""The rate is that of this time, or of the time since the first read if that is shorter."""
SHORTEST_SECONDS: Final = 1.0
"""There is no rate before."""
STALLED_SECONDS: Final = 60.0
"""A queue is stalled if it has items, and none was seen to be consumed for so long."""
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """Figures of some queues; each is None while nothing was seen that it could be derived from."""

    processing_rate: float | None
    """Items per second."""
    health_status: Literal["healthy", "stalled"] | None
    last_processed: datetime | None


class QueueMeter:
    """Compares the sizes of all queues of one kind, by name, at each read."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sizes: Mapping[str, int] = {}
        self._first_read: float | None = None
        self._unchanged_since: dict[str, float] = {}
        self._consumed: deque[tuple[float, str, int]] = deque(maxlen=_REMEMBERED)
        self._last_consumed: dict[str, float] = {}

    @property
    def names(self) -> set[str]:
        """The queues that have items, or that were seen to be consumed."""
        return {*self._sizes, *self._last_consumed}

    def observe(self, sizes: Mapping[str, int]) -> None:
        """Compare the sizes of all queues that have items with those of the read before."""
        now = self._clock()
        self._first_read = self._first_read or now
        for name, before in self._sizes.items():
            count = before - sizes.get(name, 0)
            if count > 0:
                self._consumed.append((now, name, count))
                self._last_consumed.pop(name, None)  # the newest is the last one
                self._last_consumed[name] = now
                self._unchanged_since.pop(name, None)
        self._unchanged_since = {name: self._unchanged_since.get(name, now) for name, size in sizes.items() if size}
        self._sizes = dict(sizes)
        while len(self._last_consumed) > _REMEMBERED:
            del self._last_consumed[next(iter(self._last_consumed))]

    def figures(self, names: Collection[str]) -> QueueFigures:
        """The figures of the queues with these names together."""
        last = max((self._last_consumed[name] for name in names if name in self._last_consumed), default=None)
        return QueueFigures(
            processing_rate=self._rate(names),
            health_status=self._health(names),
            last_processed=None if last is None else datetime.fromtimestamp(last, UTC),
        )

    def _rate(self, names: Collection[str]) -> float | None:
        now = self._clock()
        seconds = 0.0 if self._first_read is None else min(now - self._first_read, WINDOW_SECONDS)
        if seconds < SHORTEST_SECONDS:
            return None
        return sum(count for at, name, count in self._consumed if name in names and at >= now - seconds) / seconds

    def _health(self, names: Collection[str]) -> Literal["healthy", "stalled"] | None:
        if self._first_read is None:
            return None
        now = self._clock()
        waiting = [now - since for name, since in self._unchanged_since.items() if name in names]
        if max(waiting, default=0.0) >= STALLED_SECONDS:
            return "stalled"
        recent = any(now - self._last_consumed.get(name, -STALLED_SECONDS) < STALLED_SECONDS for name in names)
        return "healthy" if recent or not waiting else None
