"""An exchange in this process with a clock of its own: its candles are known, and its streams fail on command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime
from itertools import groupby

from fullon_graphql.config import Settings
from fullon_graphql.daemons.feeds.market_feed import CandlePage, LiveFrom, MarketTrade, TradePage
from fullon_graphql.ohlcv.candles import Candle

PAGE = 180
"""Seconds in a page of the past."""

PATH = f"{__name__}.ScriptedFeed"


class ScriptedExchange:
    """Trades of any exchange and symbol up to `now`. Its past begins at `begin`; times are unix seconds."""

    def __init__(self, begin: float, trades: Sequence[MarketTrade] = ()) -> None:
        self.begin = self.now = begin
        self.trades = sorted(trades, key=lambda trade: trade.time)
        self.streams: dict[str, asyncio.Queue[MarketTrade | LiveFrom]] = {}
        self.asked: list[tuple[str, float, float]] = []
        self.failing: Callable[[str, float], bool] = lambda _symbol, _since: False
        self.broken: set[str] = set()

    def clock(self) -> float:
        return self.now

    def advance(self, seconds: float) -> list[MarketTrade]:
        """The trades of the following seconds."""
        before, self.now = self.now, self.now + seconds
        return [trade for trade in self.trades if before <= trade.time < self.now]

    def deliver(self, news: Sequence[MarketTrade | LiveFrom]) -> None:
        """Send on the streams that are open; others lose it."""
        for one in news:
            if queue := self.streams.get(one.exchange):
                queue.put_nowait(one)

    @property
    def is_read(self) -> bool:
        """True once the streams have delivered everything."""
        return all(queue.empty() for queue in self.streams.values())

    def candles(self, symbol: str, since: float, until: float) -> list[Candle]:
        inside = [trade for trade in self.trades if trade.symbol == symbol and since <= trade.time < until]
        return [_candle(minute, list(group)) for minute, group in groupby(inside, key=lambda one: one.time // 60 * 60)]


class ScriptedFeed:
    """A market feed over the exchange of the test."""

    exchange = ScriptedExchange(0)  # set by the test, read by the instance of the daemon

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def trades(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[MarketTrade | LiveFrom, None]:
        if exchange in self.exchange.broken:
            raise ConnectionError(f"{exchange} hung up")
        queue = self.exchange.streams[exchange] = asyncio.Queue()
        try:
            yield LiveFrom(exchange, symbols, self.exchange.now)
            while True:
                yield await queue.get()
        finally:
            self.exchange.streams.pop(exchange, None)

    async def candles(self, exchange: str, symbol: str, since: float, until: float) -> AsyncGenerator[CandlePage, None]:
        self.exchange.asked.append((symbol, since, until))
        for start, end in self._pages(symbol, since, until):
            yield CandlePage(start, end, self.exchange.candles(symbol, start, end))

    async def past_trades(
        self, exchange: str, symbol: str, since: float, until: float
    ) -> AsyncGenerator[TradePage, None]:
        for start, end in self._pages(symbol, since, until):
            inside = [one for one in self.exchange.trades if one.symbol == symbol and start <= one.time < end]
            yield TradePage(start, end, inside)

    def _pages(self, symbol: str, since: float, until: float) -> list[tuple[float, float]]:
        since, until = max(since, self.exchange.begin), min(until, self.exchange.now // 60 * 60)
        starts = range(int(since), int(until), PAGE)
        if any(self.exchange.failing(symbol, start) for start in starts):
            raise ConnectionError("history is not available")
        return [(start, min(start + PAGE, until)) for start in starts]


def _candle(minute: float, trades: Sequence[MarketTrade]) -> Candle:
    prices = [trade.price for trade in trades]
    volume = sum(trade.volume for trade in trades)
    return Candle(datetime.fromtimestamp(minute, UTC), prices[0], max(prices), min(prices), prices[-1], volume)
