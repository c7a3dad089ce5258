"""Live tickers: the state at once, then every change; the newest wins where a client is slower than the market."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated

import strawberry

from fullon_graphql.cache import keys
from fullon_graphql.cache import tickers as cache
from fullon_graphql.cache.hub import Mailbox, Topic
from fullon_graphql.context import Context, Info
from fullon_graphql.errors import BadUserInput
from fullon_graphql.schema.arguments import ExchangeName, SymbolName, SymbolNames
from fullon_graphql.schema.tickers import Ticker
from fullon_graphql.services import tickers
from fullon_graphql.subscriptions.events import events

MAX_SYMBOLS = 1000

MaxRate = Annotated[
    float | None,
    strawberry.argument(description="At most so many frames per second; what came between is folded into the next."),
]


@strawberry.type
class TickerSubscriptions:
    @strawberry.subscription(description="The current ticker at once, then every newer one.")
    async def ticker(
        self, info: Info, exchange: ExchangeName, symbol: SymbolName, max_rate: MaxRate = None
    ) -> AsyncGenerator[Ticker, None]:
        frames = _frames(info.context, exchange, [symbol], _pause(max_rate))
        return events(info.context, frames, lambda frame: Ticker.of(frame[0]) if frame else None)

    @strawberry.subscription(
        description="All tickers asked for at once (of the whole exchange, unless `symbols` names some), then per"
        " frame those that changed."
    )
    async def tickers(
        self, info: Info, exchange: ExchangeName, symbols: SymbolNames = None, max_rate: MaxRate = None
    ) -> AsyncGenerator[list[Ticker], None]:
        if symbols is not None and len(symbols) > MAX_SYMBOLS:
            raise BadUserInput(
                f"`symbols` has {len(symbols)} entries; it takes at most {MAX_SYMBOLS}.", field="symbols"
            )
        frames = _frames(info.context, exchange, symbols, _pause(max_rate))
        return events(info.context, frames, lambda frame: [Ticker.of(ticker) for ticker in frame])


async def _frames(
    context: Context, exchange: str, symbols: Sequence[str] | None, pause: float
) -> AsyncGenerator[list[cache.Ticker], None]:
    """The tickers known at first, then at most every `pause` seconds those that are newer than what was sent."""
    seen: dict[str, cache.Ticker] = {}
    async with context.process.hub.listen(_topics(exchange, symbols)) as mailbox:
        yield _newer(seen, await _next(context, mailbox, exchange, symbols))
        while True:
            await asyncio.sleep(pause)
            if frame := _newer(seen, await _next(context, mailbox, exchange, symbols)):
                yield frame


async def _next(context: Context, mailbox: Mailbox, exchange: str, symbols: Sequence[str] | None) -> list[cache.Ticker]:
    """The next tickers: the whole state where messages may have been missed, else those that were published."""
    news = await mailbox.news()
    if news.reset:
        return await tickers.of_exchange(context.process.redis, context.caller, exchange, symbols)
    prefix = keys.ticker_updates(exchange, "")
    found = (cache.decode(exchange, channel.removeprefix(prefix), text) for channel, text in news.messages.items())
    return [ticker for ticker in found if ticker is not None]


def _newer(seen: dict[str, cache.Ticker], found: list[cache.Ticker]) -> list[cache.Ticker]:
    """Those of `found` that tell something new, remembered in `seen`."""
    fresh = [ticker for ticker in found if _is_newer(ticker, seen.get(ticker.symbol))]
    seen.update((ticker.symbol, ticker) for ticker in fresh)
    return fresh


def _is_newer(ticker: cache.Ticker, known: cache.Ticker | None) -> bool:
    return known is None or (ticker.time >= known.time and ticker != known)


def _topics(exchange: str, symbols: Sequence[str] | None) -> list[Topic]:
    if symbols is None:
        return [Topic(keys.ticker_updates_pattern(exchange), pattern=True)]
    return [Topic(keys.ticker_updates(exchange, symbol)) for symbol in symbols]


def _pause(max_rate: float | None) -> float:
    if max_rate is None:
        return 0.0
    if not max_rate > 0:
        raise BadUserInput(f"`maxRate` is {max_rate}; it takes a number above 0.", field="maxRate")
    return 1 / max_rate
