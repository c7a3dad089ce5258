"""The use of a connection pool."""

from __future__ import annotations

from typing import NamedTuple


class PoolUse(NamedTuple):
    """Connections that the pool may open, connections that are in use, and callers that wait for one."""

    size: int
    in_use: int
    waiting: int

    def plus(self, other: PoolUse) -> PoolUse:
        """Both pools together."""
        return PoolUse(self.size + other.size, self.in_use + other.in_use, self.waiting + other.waiting)
