"""The base class of our three daemons: a market feed, its symbols, and entries in the register of processes."""

from __future__ import annotations

import os
from abc import abstractmethod
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import ClassVar

from fullon_graphql.cache.processes import Process, ProcessType
from fullon_graphql.daemons.control.state import ServiceName
from fullon_graphql.daemons.daemon import TaskDaemon
from fullon_graphql.daemons.feed_reports import reported
from fullon_graphql.daemons.feeds.market_feed import MarketFeed, Observed, StreamKind
from fullon_graphql.daemons.instruments import symbols_by_exchange
from fullon_graphql.daemons.process_registration import registered


class CollectorDaemon(TaskDaemon):
    """Collects data from the market feed. Symbols created while it runs are included from its next start."""

    process: ClassVar[tuple[ProcessType, str]]
    """The type and component of the daemon in the platform's register."""

    streams: ClassVar[tuple[ServiceName, StreamKind] | None] = None
    """The service of the daemon, and the kind of streams whose state it reports; None for neither."""

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
        async with registered(self.resources.redis, [daemon, *self.parts()]), self._feed_reported():
            await self.collect()

    def _feed_reported(self) -> AbstractAsyncContextManager[None]:
        """Report the state of the daemon's streams, if it has any and the feed knows it."""
        if self.streams is None or not isinstance(self.feed, Observed):
            return nullcontext()
        service, kind = self.streams
        return reported(self.resources.redis, self.feed, service, kind, list(self.symbols), self.resources.holds_lease)

    @abstractmethod
    async def collect(self) -> None:
        """Work until cancelled."""

    @abstractmethod
    def parts(self) -> list[Process]:
        """Further processes to register."""
