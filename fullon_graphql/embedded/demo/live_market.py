"""The market feed of the demo with real exchanges: their public data, and simulated accounts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.daemons.feeds.ccxt_feed import CcxtFeed
from fullon_graphql.daemons.feeds.market_feed import (
    CandlePage,
    FeedHealth,
    LiveFrom,
    Market,
    MarketTrade,
    StreamKind,
    TradePage,
)
from fullon_graphql.embedded.demo.market import SimulatedMarket


class LiveMarket(SimulatedMarket):
    """Public data of real exchanges. Accounts are simulated, with positions near the real prices."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._exchanges = CcxtFeed(settings)
        self._anchored: set[tuple[str, str]] = set()

    async def tickers(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[Ticker, None]:
        """The tickers of the exchange. The first of each symbol anchors the prices of simulated positions."""
        async with aclosing(self._exchanges.tickers(exchange, symbols)) as stream:
            async for ticker in stream:
                if (exchange, ticker.symbol) not in self._anchored:
                    self._anchored.add((exchange, ticker.symbol))
                    self.prices.anchor(exchange, ticker.symbol, ticker.price, ticker.time)
                yield ticker

    def trades(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[MarketTrade | LiveFrom, None]:
        """The public trades of the exchange."""
        return self._exchanges.trades(exchange, symbols)

    def candles(self, exchange: str, symbol: str, since: float, until: float) -> AsyncGenerator[CandlePage, None]:
        """The candles of the exchange."""
        return self._exchanges.candles(exchange, symbol, since, until)

    def past_trades(self, exchange: str, symbol: str, since: float, until: float) -> AsyncGenerator[TradePage, None]:
        """The past trades of the exchange."""
        return self._exchanges.past_trades(exchange, symbol, since, until)

    def health(self, exchange: str, kind: StreamKind) -> FeedHealth:
        """The state of the connections."""
        return self._exchanges.health(exchange, kind)

    async def markets(self, exchange: str) -> list[Market]:
        """The symbols of the exchange."""
        return await self._exchanges.markets(exchange)
