"""The ticker daemon: writes tickers of the market feed into Redis, in the platform's format."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from fullon_graphql.cache import tickers
from fullon_graphql.cache.processes import Process, ProcessType
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.daemons.collector import CollectorDaemon
from fullon_graphql.daemons.control.state import ServiceName
from fullon_graphql.daemons.daemon import Resources
from fullon_graphql.daemons.feeds.market_feed import FeedEndedError, StreamKind


class TickerDaemon(CollectorDaemon):
    """Writes the tickers of all symbols. One stream per exchange; one writer.

    If the feed is faster than Redis, only the newest ticker of each symbol is written.
    """

    process = (ProcessType.TICK, "ticker_daemon")
    streams = (ServiceName.TICKER, StreamKind.TICKERS)

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._pending: dict[tuple[str, str], Ticker] = {}
        self._arrived = asyncio.Event()

    async def collect(self) -> None:
        """Read and write tickers until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write())
            for exchange, symbols in self.symbols.items():
                group.create_task(self._read_tickers(exchange, symbols))

    def parts(self) -> list[Process]:
        """One process per symbol."""
        return [
            Process(ProcessType.TICK, f"{exchange}:{symbol}", {"type": "live_ticker"})
            for exchange, symbols in self.symbols.items()
            for symbol in symbols
        ]

    async def _read_tickers(self, exchange: str, symbols: Sequence[str]) -> None:
        async with aclosing(self.feed.tickers(exchange, symbols)) as stream:
            async for ticker in stream:
                self._pending[ticker.exchange, ticker.symbol] = ticker
                self._arrived.set()
        raise FeedEndedError(exchange)

    async def _write(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            newest, self._pending = self._pending, {}
            self.require_lease()
            await tickers.write(self.resources.redis, newest.values())
