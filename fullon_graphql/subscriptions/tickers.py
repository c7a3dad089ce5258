"""Live tickers: the state at once, then every change; the newest wins where a client is slower than the market."""

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
from fullon_graphql.streaming.pace import MaxRate, pause_of
from fullon_graphql.streaming.sources import streamed

MAX_SYMBOLS = 1000


@dataclass
class Quotes:
    """Tickers of an exchange, of `symbols` or of all: those known, then at most every `pause` seconds what is newer."""

    context: Context
    exchange: str
    symbols: Sequence[str] | None
    pause: float
    seen: dict[str, cache.Ticker] | None = field(default=None, init=False)
    """The newest of each symbol; None before the first frame."""

    async def events(self) -> AsyncGenerator[list[Ticker], None]:
        async with self.context.worker.hub.listen(self._topics()) as mailbox:
            self.seen = {}
            yield _objects(self._newer(self.seen, await self._next(mailbox)))
            while True:
                await asyncio.sleep(self.pause)
                if frame := self._newer(self.seen, await self._next(mailbox)):
                    yield _objects(frame)

    def state(self) -> list[list[Ticker]]:
        return [] if self.seen is None else [_objects(self.seen.values())]

    async def _next(self, mailbox: Mailbox) -> list[cache.Ticker]:
        """The next tickers: the whole state where messages may have been missed, else those that were published."""
        news, context = await mailbox.news(), self.context
        if news.reset:
            return await tickers.of_exchange(context.worker.redis, context.caller, self.exchange, self.symbols)
        prefix = keys.ticker_updates(self.exchange, "")
        messages = news.messages.items()
        found = (cache.decode(self.exchange, channel.removeprefix(prefix), text) for channel, text in messages)
        return [ticker for ticker in found if ticker is not None]

    @staticmethod
    def _newer(seen: dict[str, cache.Ticker], found: list[cache.Ticker]) -> list[cache.Ticker]:
        """Those of `found` that tell something new, remembered in `seen`."""
        fresh = [ticker for ticker in found if _is_newer(ticker, seen.get(ticker.symbol))]
        seen.update((ticker.symbol, ticker) for ticker in fresh)
        return fresh

    def _topics(self) -> list[Topic]:
        if self.symbols is None:
            return [Topic(keys.ticker_updates_pattern(self.exchange), pattern=True)]
        return [Topic(keys.ticker_updates(self.exchange, symbol)) for symbol in self.symbols]


@dataclass
class Quote:
    """The one ticker of `quotes` for a single symbol."""

    quotes: Quotes

    async def events(self) -> AsyncGenerator[Ticker, None]:
        async with aclosing(self.quotes.events()) as frames:
            async for frame in frames:
                for ticker in frame:
                    yield ticker

    def state(self) -> list[Ticker]:
        return [ticker for frame in self.quotes.state() for ticker in frame]


def _ticker(context: Context, exchange: ExchangeName, symbol: SymbolName, max_rate: MaxRate = None) -> Quote:
    return Quote(Quotes(context, exchange, [symbol], pause_of(max_rate)))


def _tickers(context: Context, exchange: ExchangeName, symbols: SymbolNames = None, max_rate: MaxRate = None) -> Quotes:
    if symbols is not None and len(symbols) > MAX_SYMBOLS:
        raise BadUserInput(f"`symbols` has {len(symbols)} entries; it takes at most {MAX_SYMBOLS}.", field="symbols")
    return Quotes(context, exchange, symbols, pause_of(max_rate))


@strawberry.type
class TickerSubscriptions:
    ticker: Ticker = streamed(
        "The current ticker at once, then every newer one.", _ticker, key=lambda ticker: ticker.symbol
    )
    tickers: list[Ticker] = streamed(
        "All tickers asked for at once (of the whole exchange, unless `symbols` names some), then per frame those that"
        " changed.",
        _tickers,
    )


def _objects(found: Iterable[cache.Ticker]) -> list[Ticker]:
    return [Ticker.from_record(ticker) for ticker in found]


def _is_newer(ticker: cache.Ticker, known: cache.Ticker | None) -> bool:
    return known is None or (ticker.time >= known.time and ticker != known)
