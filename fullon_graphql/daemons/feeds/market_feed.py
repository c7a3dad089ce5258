"""Where the daemons take prices and accounts from: an exchange adapter, or a simulated market."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.daemons.loading import LoadingError, load_class


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
    """What daemons need of a market. Made with the settings; one instance per daemon.

    Streams never end by themselves: one that does, or that raises, makes the daemon fail and be started again. They
    release what they hold when they are closed.
    """

    def tickers(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[Ticker, None]:
        """Each new ticker of some symbols of one exchange."""

    def trades(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[MarketTrade, None]:
        """Each public trade in some symbols of one exchange, in order of time per symbol."""

    async def balances(self, ex_id: int, exchange: str, symbols: Sequence[str]) -> list[Balance]:
        """What the account `ex_id` holds now. `symbols` are those known on its exchange."""

    async def positions(self, ex_id: int, exchange: str, symbols: Sequence[str]) -> list[Position]:
        """The open positions of the account `ex_id` now."""


class FeedEndedError(Exception):
    """A stream of the market feed ended, which it never should."""

    def __init__(self, exchange: str) -> None:
        super().__init__(f"The market feed of {exchange} ended.")


async def load_feed(settings: Settings) -> MarketFeed:
    """The feed named by the setting `market_feed`.

    Raises:
        LoadingError: none is named, or it is not there.
    """
    if not settings.market_feed:
        raise LoadingError("No market feed is configured. Set MARKET_FEED to the dotted path of an exchange adapter.")
    feed_class = await asyncio.to_thread(load_class, settings.market_feed)  # an import reads files
    return cast("MarketFeed", feed_class(settings))
