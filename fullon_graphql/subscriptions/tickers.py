"""Live tickers: the current one first, then each newer one. A client slower than the market gets the newest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import strawberry

from fullon_graphql.cache import keys
from fullon_graphql.cache import tickers as cache
from fullon_graphql.cache.hub import Mailbox, Topic
from fullon_graphql.context import Context
from fullon_graphql.errors import BadUserInput
from fullon_graphql.schema.support.arguments import ExchangeName, SymbolName, SymbolNames
from fullon_graphql.schema.tickers import Ticker
from fullon_graphql.services import tickers
from fullon_graphql.streaming.sources import MaxRate, frame_interval, streamed

MAX_SYMBOLS = 1000


@dataclass
class TickersSource:
    """Tickers of `symbols` or a whole exchange: the current ones, then newer ones at most every `interval` seconds."""

    context: Context
    exchange: str
    symbols: Sequence[str] | None
    interval: float
    newest: dict[str, cache.Ticker] | None = field(default=None, init=False)
    """The newest ticker of each symbol; None before the first frame."""

    async def events(self) -> AsyncGenerator[list[Ticker], None]:
        async with self.context.worker.hub.listen(self._topics()) as mailbox:
            self.newest = {}
            yield _ticker_objects(self._newer(self.newest, await self._next(mailbox)))
            while True:
                await asyncio.sleep(self.interval)
                if frame := self._newer(self.newest, await self._next(mailbox)):
                    yield _ticker_objects(frame)

    def snapshot(self) -> list[list[Ticker]]:
        return [] if self.newest is None else [_ticker_objects(self.newest.values())]

    async def _next(self, mailbox: Mailbox) -> list[cache.Ticker]:
        """The next tickers: all if messages may have been missed, else those that were published."""
        news, context = await mailbox.news(), self.context
        if news.reset:
            return await tickers.of_exchange(context.worker.redis, context.caller, self.exchange, self.symbols)
        prefix = keys.ticker_updates(self.exchange, "")
        messages = news.messages.items()
        found = (cache.decode(self.exchange, channel.removeprefix(prefix), text) for channel, text in messages)
        return [ticker for ticker in found if ticker is not None]

    @staticmethod
    def _newer(newest: dict[str, cache.Ticker], found: list[cache.Ticker]) -> list[cache.Ticker]:
        """Those of `found` that differ from `newest` and are not older; `newest` is updated with them."""
        newer = [ticker for ticker in found if _is_newer(ticker, newest.get(ticker.symbol))]
        newest.update((ticker.symbol, ticker) for ticker in newer)
        return newer

    def _topics(self) -> list[Topic]:
        if self.symbols is None:
            return [Topic(keys.ticker_updates_pattern(self.exchange), pattern=True)]
        return [Topic(keys.ticker_updates(self.exchange, symbol)) for symbol in self.symbols]


@dataclass
class TickerSource:
    """The tickers of a source one by one, for a single symbol."""

    tickers: TickersSource

    async def events(self) -> AsyncGenerator[Ticker, None]:
        async with aclosing(self.tickers.events()) as frames:
            async for frame in frames:
                for ticker in frame:
                    yield ticker

    def snapshot(self) -> list[Ticker]:
        return [ticker for frame in self.tickers.snapshot() for ticker in frame]


def _ticker(context: Context, exchange: ExchangeName, symbol: SymbolName, max_rate: MaxRate = None) -> TickerSource:
    return TickerSource(TickersSource(context, exchange, [symbol], frame_interval(max_rate)))


def _tickers(
    context: Context, exchange: ExchangeName, symbols: SymbolNames = None, max_rate: MaxRate = None
) -> TickersSource:
    if symbols is not None and len(symbols) > MAX_SYMBOLS:
        raise BadUserInput(f"`symbols` has {len(symbols)} entries; it takes at most {MAX_SYMBOLS}.", field="symbols")
    return TickersSource(context, exchange, symbols, frame_interval(max_rate))


@strawberry.type
class TickerSubscriptions:
    ticker: Ticker = streamed(
        "The current ticker first, then each newer one.", _ticker, key=lambda ticker: ticker.symbol
    )
    tickers: list[Ticker] = streamed(
        "All current tickers first (of `symbols`, or of the whole exchange if it is not given), then in each frame"
        " those that have changed.",
        _tickers,
    )


def _ticker_objects(found: Iterable[cache.Ticker]) -> list[Ticker]:
    return [Ticker.from_record(ticker) for ticker in found]


def _is_newer(ticker: cache.Ticker, known: cache.Ticker | None) -> bool:
    return known is None or (ticker.time >= known.time and ticker != known)
