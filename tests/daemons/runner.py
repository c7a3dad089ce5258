"""A process that runs services and nothing else: `python -m tests.daemons.runner`."""

from __future__ import annotations

import asyncio
import signal

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.cache.client import connect
from fullon_graphql.cache.hub import Hub
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.runner import ServiceRunner, new_runner_id
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.database import Database


async def main() -> None:
    settings, tasks = Settings(), BackgroundTasks()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with (
        connect(settings.redis_url, settings, "services") as redis,
        connect(settings.redis_url, settings, "hub") as listener,
        Hub(listener, settings.redis_timeout, tasks) as hub,
    ):
        resources = Resources(
            settings,
            Database.connect(settings.database_url, "services", settings),
            Database.connect(settings.ohlcv_database_url, "services", settings),
            redis,
        )
        async with ServiceRunner(settings, resources, hub, tasks, new_runner_id()):
            await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
