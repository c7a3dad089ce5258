"""What our three daemons share: a market feed, the symbols to ask it for, and a place in the register of processes."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import ClassVar

from fullon_graphql.cache.processes import Process, ProcessType
from fullon_graphql.daemons.daemon import TaskDaemon
from fullon_graphql.daemons.feeds.market_feed import MarketFeed, load_feed
from fullon_graphql.daemons.instruments import symbols_by_exchange
from fullon_graphql.daemons.process_registration import present


class CollectorDaemon(TaskDaemon):
    """Collects something from the market feed. Symbols made while it runs are seen at its next start."""

    process: ClassVar[tuple[ProcessType, str]]
    """The type and component under which the platform's tools find the daemon."""

    with_candles: ClassVar[bool] = False
    """True for a daemon that leaves out symbols with tickers only."""

    feed: MarketFeed
    symbols: dict[str, list[str]]
    """By exchange. Both are there once the daemon is prepared."""

    async def prepare(self) -> None:
        """Load the feed and the symbols."""
        self.feed = await load_feed(self.resources.settings)
        self.symbols = await symbols_by_exchange(self.resources.database, with_candles=self.with_candles)

    async def run(self) -> None:
        """Collect until cancelled, registered as a process all the while."""
        daemon = Process(*self.process, {"pid": os.getpid()})
        async with present(self.resources.redis, [daemon, *self.parts()]):
            await self.collect()

    @abstractmethod
    async def collect(self) -> None:
        """Work until cancelled."""

    @abstractmethod
    def parts(self) -> list[Process]:
        """The further processes to register."""
