"""Market feeds: where the daemons get prices and accounts from, e.g. an exchange adapter or a simulated market."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pkgutil import resolve_name
from typing import Protocol, cast, runtime_checkable

from fullon_graphql.cache.market_feeds import FeedState
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.ohlcv.candles import Candle


@dataclass(frozen=True, slots=True)
class MarketTrade:
    """A public trade. `time` is unix seconds, `volume` is in base currency, `side` is the taker's: buy or sell.

    `id` is the exchange's, unique per symbol; empty if the exchange has none.
    """

    exchange: str
    symbol: str
    price: float
    volume: float
    side: str
    time: float
    id: str = ""


@dataclass(frozen=True, slots=True)
class LiveFrom:
    """A stream of trades has begun, or continues after an interruption, for these symbols of an exchange.

    It is complete from `time` (unix seconds) on. Trades before may be missing, and trades that the stream has delivered
    may be repeated.
    """

    exchange: str
    symbols: Sequence[str]
    time: float


@dataclass(frozen=True, slots=True)
class CandlePage:
    """The exchange's own one-minute candles from `since` until before `until` (unix seconds), in ascending order.

    A minute without a candle had no trade.
    """

    since: float
    until: float
    candles: Sequence[Candle]


@dataclass(frozen=True, slots=True)
class TradePage:
    """All public trades from `since` until before `until` (unix seconds), in order of time."""

    since: float
    until: float
    trades: Sequence[MarketTrade]


@dataclass(frozen=True, slots=True)
class Market:
    """The facts that an exchange publishes about a symbol. What it does not publish is None.

    `price_step` and `amount_step` are the smallest differences between two prices and between two volumes;
    `min_notional` is the smallest value of an order, in quote currency.
    """

    symbol: str
    base: str
    quote: str | None
    decimals: int
    futures: bool
    price_step: float | None = None
    amount_step: float | None = None
    min_notional: float | None = None


class MarketFeed(Protocol):
    """The interface of a market feed, constructed with the settings. All daemons of a process share one instance.

    Streams of live data never end by themselves: if one ends or raises, the daemon fails and is restarted. A feed
    therefore connects again by itself. All generators release their resources when they are closed.
    """

    def tickers(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[Ticker, None]:
        """Each new ticker of some symbols of one exchange."""

    def trades(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[MarketTrade | LiveFrom, None]:
        """Each public trade in some symbols of one exchange, and before the first trade and after each gap `LiveFrom`.

        Trades are in order of time per symbol as far as the exchange sends them so.
        """

    def candles(self, exchange: str, symbol: str, since: float, until: float) -> AsyncGenerator[CandlePage, None]:
        """The exchange's own candles of whole minutes from `since` until before `until`, page by page, in order.

        Spans that no page covers are those for which the exchange has no candles any more. The minute that is not over
        is never included.
        """

    def past_trades(self, exchange: str, symbol: str, since: float, until: float) -> AsyncGenerator[TradePage, None]:
        """Public trades from `since` until before `until`, page by page, in order; no page if there is no history."""

    async def markets(self, exchange: str) -> list[Market]:
        """All symbols that can be traded on an exchange."""


class StreamKind(StrEnum):
    """A kind of live data."""

    TICKERS = "tickers"
    TRADES = "trades"


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """The state of a stream. Times are unix seconds, `lag` is seconds; None if unknown."""

    state: FeedState
    connected_since: float | None = None
    last_message_at: float | None = None
    lag: float | None = None
    reconnects: int = 0
    symbols_missing: Collection[str] = ()
    error: str | None = None


@runtime_checkable
class Observed(Protocol):
    """A market feed that reports the state of its streams. Without this method the graph has no `feedStatus` of it."""

    def health(self, exchange: str, kind: StreamKind) -> FeedHealth:
        """The state of the streams of one kind of an exchange. Does not wait for anything."""


class FeedEndedError(Exception):
    """A stream of the market feed ended, although it should run until it is closed."""

    def __init__(self, exchange: str) -> None:
        super().__init__(f"The market feed of {exchange} ended.")


class SharedFeed:
    """The market feed of a process: its daemons share one instance, so that they share connections to exchanges."""

    def __init__(self) -> None:
        self._feeds: dict[str, MarketFeed] = {}

    async def load(self, settings: Settings) -> MarketFeed:
        """The feed named by the setting `market_feed`.

        Raises:
            ImportError, AttributeError, ValueError: the setting does not lead to a class.
            ExchangesNotInstalledError: the default feed needs ccxt.
        """
        feed_class = await asyncio.to_thread(resolve_name, settings.market_feed)  # an import reads files
        if settings.market_feed not in self._feeds:
            self._feeds[settings.market_feed] = cast("MarketFeed", feed_class(settings))
        return self._feeds[settings.market_feed]
