"""The base class of our three daemons: a market feed, its symbols, and entries in the register of processes."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import ClassVar

from fullon_graphql.cache.processes import Process, ProcessType
from fullon_graphql.daemons.daemon import TaskDaemon
from fullon_graphql.daemons.feeds.market_feed import MarketFeed
from fullon_graphql.daemons.instruments import symbols_by_exchange
from fullon_graphql.daemons.process_registration import registered


class CollectorDaemon(TaskDaemon):
    """Collects data from the market feed. Symbols created while it runs are included from its next start."""

    process: ClassVar[tuple[ProcessType, str]]
    """The type and component of the daemon in the platform's register."""

    with_candles: ClassVar[bool] = False
    """True to leave out symbols that have tickers only."""

    feed: MarketFeed
    symbols: dict[str, list[str]]
    """By exchange. Like `feed`, set by `prepare`."""

    async def prepare(self) -> None:
        """Load the feed and the symbols."""
        self.feed = await self.resources.feeds.load(self.resources.settings)
        self.symbols = await symbols_by_exchange(self.resources.database, with_candles=self.with_candles)

    async def run(self) -> None:
        """Collect until cancelled, registered as a process."""
        daemon = Process(*self.process, {"pid": os.getpid()})
        async with registered(self.resources.redis, [daemon, *self.parts()]):
            await self.collect()

    @abstractmethod
    async def collect(self) -> None:
        """Work until cancelled."""

    @abstractmethod
    def parts(self) -> list[Process]:
        """Further processes to register."""
