"""A worker process that takes part in service control and does nothing else: `python -m tests.daemons.worker`."""

from __future__ import annotations

import asyncio
import signal

from fullon_graphql.cache.client import connect
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.manager import ServiceManager, new_worker_id
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.database import Database


async def main() -> None:
    settings = Settings()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with connect(settings.redis_url, settings, "worker") as redis:
        resources = Resources(
            settings,
            Database.connect(settings.database_url, "worker", settings),
            Database.connect(settings.ohlcv_database_url, "worker", settings),
            redis,
        )
        async with ServiceManager(settings, resources, new_worker_id()):
            await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
