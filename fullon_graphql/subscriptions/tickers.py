"""Live tickers: the current one first, then each newer one. A slow client gets the newest one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import strawberry

from fullon_graphql.cache import keys
from fullon_graphql.cache import tickers as cache
from fullon_graphql.cache.hub import Topic
from fullon_graphql.context import Context
from fullon_graphql.errors import BadUserInput
from fullon_graphql.schema.support.arguments import ExchangeName, SymbolName, SymbolNames
from fullon_graphql.schema.tickers import Ticker
from fullon_graphql.services import tickers
from fullon_graphql.streaming.sources import MaxRate, frame_interval, streamed

MAX_SYMBOLS = 1000

OVERLAP: Final = 1.0
"""Seconds after a read of the state in which a message may be older than the state that was read."""


@dataclass
class TickersSource:
    """Tickers of `symbols` or a whole exchange: the current ones, then changes at most every `interval` seconds.

    Like the query, it shows the ticker that was written last.
    """

    context: Context
    exchange: str
    symbols: Sequence[str] | None
    interval: float
    newest: dict[str, cache.Ticker] | None = field(default=None, init=False)
    """The last ticker of each symbol; None before the first frame."""
    _overlap_until: float = field(default=0.0, init=False)

    async def events(self) -> AsyncGenerator[list[Ticker], None]:
        async with self.context.worker.hub.listen(self._topics()) as mailbox:
            await mailbox.news()
            yield _ticker_objects(await self._read())
            while True:
                if self.interval:
                    await asyncio.sleep(self.interval)
                news = await mailbox.news()
                if frame := await self._read() if news.reset else self._apply(news.messages):
                    yield _ticker_objects(frame)

    def snapshot(self) -> list[list[Ticker]]:
        return [] if self.newest is None else [_ticker_objects(self.newest.values())]

    async def _read(self) -> list[cache.Ticker]:
        """Replace the state by that of Redis, and return the tickers that differ."""
        redis, caller = self.context.worker.redis, self.context.caller
        found = await tickers.of_exchange(redis, caller, self.exchange, self.symbols)
        self._overlap_until = time.monotonic() + OVERLAP
        known, self.newest = self.newest or {}, {ticker.symbol: ticker for ticker in found}
        return [ticker for ticker in found if ticker != known.get(ticker.symbol)]

    def _apply(self, messages: Mapping[str, str]) -> list[cache.Ticker]:
        """Add published tickers to the state, and return those that change it."""
        prefix, latest = keys.ticker_updates(self.exchange, ""), cache.latest_time(self.context.worker.redis)
        found = (
            cache.decode(self.exchange, channel.removeprefix(prefix), text, latest)
            for channel, text in messages.items()
        )
        assert self.newest is not None, "the state has been read"
        changes = [ticker for ticker in found if ticker and self._replaces(ticker, self.newest.get(ticker.symbol))]
        self.newest.update((ticker.symbol, ticker) for ticker in changes)
        return changes

    def _replaces(self, ticker: cache.Ticker, known: cache.Ticker | None) -> bool:
        """Whether a message replaces a known ticker: the last one written counts, except for messages before a read."""
        if known is None or ticker == known:
            return known is None
        overlaps = time.monotonic() < self._overlap_until
        return not overlaps or ticker.time >= known.time or known.time > time.time()

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
        "The current ticker first, then each newer one.",
        _ticker,
        key=lambda ticker: ticker.symbol,
        time=lambda ticker: ticker.time.timestamp(),
    )
    tickers: list[Ticker] = streamed(
        "All current tickers first (of `symbols`, or of the whole exchange if it is not given), then in each frame"
        " those that have changed.",
        _tickers,
        time=lambda tickers: max((ticker.time.timestamp() for ticker in tickers), default=None),
    )


def _ticker_objects(found: Iterable[cache.Ticker]) -> list[Ticker]:
    return [Ticker.from_record(ticker) for ticker in found]
