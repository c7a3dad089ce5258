"""The ticker daemon: from the market feed into Redis, as the platform's own writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from fullon_graphql.cache import tickers
from fullon_graphql.cache.processes import Process, ProcessType
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.daemons.collector import CollectorDaemon
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.daemons.feeds.market_feed import FeedEndedError


class TickerDaemon(CollectorDaemon):
    """Collects the tickers of all symbols. One stream per exchange; one writer.

    Where the feed is faster than Redis, the newest ticker of each symbol wins: never more wait than there are symbols.
    """

    process = (ProcessType.TICK, "ticker_daemon")

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._waiting: dict[tuple[str, str], Ticker] = {}
        self._arrived = asyncio.Event()

    async def collect(self) -> None:
        """Collect and write until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write())
            for exchange, symbols in self.symbols.items():
                group.create_task(self._listen(exchange, symbols))

    def parts(self) -> list[Process]:
        """One process per symbol."""
        return [
            Process(ProcessType.TICK, f"{exchange}:{symbol}", {"type": "live_ticker"})
            for exchange, symbols in self.symbols.items()
            for symbol in symbols
        ]

    async def _listen(self, exchange: str, symbols: Sequence[str]) -> None:
        async with aclosing(self.feed.tickers(exchange, symbols)) as stream:
            async for ticker in stream:
                self._waiting[ticker.exchange, ticker.symbol] = ticker
                self._arrived.set()
        raise FeedEndedError(exchange)

    async def _write(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            newest, self._waiting = self._waiting, {}
            self.check_in_charge()
            await tickers.write(self.resources.redis, newest.values())
