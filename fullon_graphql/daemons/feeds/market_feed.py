"""Market feeds: where the daemons get prices and accounts from, e.g. an exchange adapter or a simulated market."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Protocol, cast

from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings


@dataclass(frozen=True, slots=True)
class MarketTrade:
    """A public trade. `time` is unix seconds, `volume` is in base currency, `side` is the taker's: buy or sell."""

    exchange: str
    symbol: str
    price: float
    volume: float
    side: str
    time: float


class MarketFeed(Protocol):
    """The interface of a market feed, constructed with the settings; every daemon has its own instance.

    Streams never end by themselves: if one ends or raises, the daemon fails and is restarted. They release their
    resources when they are closed.
    """

    def tickers(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[Ticker, None]:
        """Each new ticker of some symbols of one exchange."""

    def trades(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[MarketTrade, None]:
        """Each public trade in some symbols of one exchange, in order of time per symbol."""

    async def balances(self, ex_id: int, exchange: str, symbols: Sequence[str]) -> list[Balance]:
        """The current balances of the account `ex_id`. `symbols` are those known on its exchange."""

    async def positions(self, ex_id: int, exchange: str, symbols: Sequence[str]) -> list[Position]:
        """The open positions of the account `ex_id`."""


class NoMarketFeedError(Exception):
    """No market feed is configured."""

    def __init__(self) -> None:
        super().__init__("No market feed is configured. Set MARKET_FEED to the dotted path of an exchange adapter.")


class FeedEndedError(Exception):
    """A stream of the market feed ended, although it should run until it is closed."""

    def __init__(self, exchange: str) -> None:
        super().__init__(f"The market feed of {exchange} ended.")


async def load_feed(settings: Settings) -> MarketFeed:
    """The feed named by the setting `market_feed`.

    Raises:
        NoMarketFeedError: the setting is empty.
        ImportError, AttributeError, ValueError: the setting does not lead to a class.
    """
    if not settings.market_feed:
        raise NoMarketFeedError
    feed_class = await asyncio.to_thread(resolve_name, settings.market_feed)  # an import reads files
    return cast("MarketFeed", feed_class(settings))
