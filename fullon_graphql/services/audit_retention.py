"""Retention of the audit log: every worker removes old rows once per hour; the chain makes them take turns."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from fullon_graphql.background import Ready
from fullon_graphql.database import Database
from fullon_graphql.services.audit import prune

PERIOD: Final = 3_600.0
"""Seconds between two rounds."""


class AuditRetention:
    """Removes rows older than `days` periodically; a background task. With 0 days it removes nothing."""

    def __init__(self, database: Database, days: int) -> None:
        self._database = database
        self._days = days

    async def run(self, ready: Ready) -> None:
        """Remove old rows until cancelled."""
        while True:
            if self._days:
                await prune(self._database, self.limit(datetime.now(UTC)))
            ready()
            await asyncio.sleep(PERIOD)

    def limit(self, now: datetime) -> datetime:
        """The time before which rows are removed: a midnight (UTC), so that one row per day records the removal."""
        return (now - timedelta(days=self._days)).replace(hour=0, minute=0, second=0, microsecond=0)
