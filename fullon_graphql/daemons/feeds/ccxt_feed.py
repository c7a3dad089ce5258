"""The market feed of real exchanges, over the library ccxt.

Public data comes over the WebSockets that ccxt knows, else by polling. All streams and requests of an exchange share
one client, and with it one limit of requests.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from fullon_graphql.cache.market_feeds import FeedState
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.config.exchange_keys import ExchangeKeys, exchange_keys
from fullon_graphql.daemons.feeds.account_feed import Account, AccountUpdate, NextReading
from fullon_graphql.daemons.feeds.ccxt_account import AccountReader
from fullon_graphql.daemons.feeds.ccxt_client import market_facts, open_client, require_ccxt
from fullon_graphql.daemons.feeds.channels import TickerChannel, TradeChannel, market_trade
from fullon_graphql.daemons.feeds.exchange_link import ExchangeLink
from fullon_graphql.daemons.feeds.market_feed import (
    CandlePage,
    FeedHealth,
    LiveFrom,
    Market,
    MarketTrade,
    StreamKind,
    TradePage,
)
from fullon_graphql.daemons.feeds.requests import repeated_request
from fullon_graphql.daemons.feeds.timing import AccountTiming, FeedTiming
from fullon_graphql.daemons.minute_bars import MINUTE
from fullon_graphql.ohlcv.candles import Candle

USUAL_PAGE: Final = 500
"""Candles to request at once from an exchange whose limit ccxt does not know."""


MARKETS_AGE: Final = 3600.0
"""Seconds for which accounts share the markets of an exchange; the list of one has megabytes."""

CLOSING: Final = 5.0
"""Seconds for closing the connections of an account."""


class NoKeysError(Exception):
    """An active account has no keys."""

    def __init__(self, ex_id: int) -> None:
        super().__init__(f"The account has no keys. Set EX_ID_{ex_id}_KEY and EX_ID_{ex_id}_SECRET.")


class CcxtFeed:
    """A market feed over ccxt. The names of exchanges in the catalogue are ccxt's ids, e.g. `kraken`."""

    def __init__(
        self, settings: Settings, timing: FeedTiming | None = None, account_timing: AccountTiming | None = None
    ) -> None:
        require_ccxt()
        self._settings = settings
        self._timing = timing or FeedTiming()
        self._account_timing = account_timing or AccountTiming()
        self._markets: dict[tuple[str, bool], tuple[Any, float]] = {}
        """By exchange and sandbox: a client with markets, and when it loaded them by the monotonic clock."""
        self._markets_locks: defaultdict[tuple[str, bool], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._links: dict[str, ExchangeLink] = {}
        self._channels: dict[tuple[str, StreamKind], TickerChannel | TradeChannel] = {}
        """The newest stream of each kind of an exchange."""

    async def tickers(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[Ticker, None]:
        """The newest ticker of each symbol, at most 20 times a second. Its time is that of its arrival without one."""
        channel = self._channels[exchange, StreamKind.TICKERS] = TickerChannel(self._link(exchange), symbols)
        async with aclosing(channel.stream()) as stream:
            async for ticker in stream:
                yield ticker

    async def trades(self, exchange: str, symbols: Sequence[str]) -> AsyncGenerator[MarketTrade | LiveFrom, None]:
        """Each trade once, as long as the exchange gives trades an id."""
        channel = self._channels[exchange, StreamKind.TRADES] = TradeChannel(self._link(exchange), symbols)
        async with aclosing(channel.stream()) as stream:
            async for trade in stream:
                yield trade

    def health(self, exchange: str, kind: StreamKind) -> FeedHealth:
        """The state of a stream; CONNECTING before it has begun."""
        channel = self._channels.get((exchange, kind))
        return channel.health() if channel else FeedHealth(FeedState.CONNECTING)

    async def candles(self, exchange: str, symbol: str, since: float, until: float) -> AsyncGenerator[CandlePage, None]:
        """The exchange's candles, without those of minutes in which nothing was traded.

        Raises:
            ccxt's errors, after some attempts.
        """
        start = math.ceil(since / MINUTE) * MINUTE
        end = math.floor(min(until, time.time()) / MINUTE) * MINUTE
        link, covered = self._link(exchange), False
        async with link.used():
            limit = candle_limit((await link.session()).client, symbol)
            while start < end:
                rows = await self._request(link, "fetch_ohlcv", symbol, "1m", start * 1000, limit)
                page = {row[0] // 1000: row for row in rows if start <= row[0] // 1000 < end}
                if not page:
                    start, covered = start + limit * MINUTE, False
                    continue
                page_start = start if covered else min(page)
                page_end = max(page) + MINUTE if len(rows) >= limit else max(max(page) + MINUTE, start + limit * MINUTE)
                start, covered = min(page_end, end), True
                yield CandlePage(
                    page_start, start, [_candle(page[minute]) for minute in sorted(page) if page[minute][5]]
                )

    async def past_trades(
        self, exchange: str, symbol: str, since: float, until: float
    ) -> AsyncGenerator[TradePage, None]:
        """The trades of the past, as far back as the exchange returns them.

        Raises:
            ccxt's errors, after some attempts.
        """
        cursor, end, covered = math.floor(since * 1000) / 1000, min(until, time.time()), False
        link = self._link(exchange)
        async with link.used():
            while cursor < end:
                raws = await self._request(link, "fetch_trades", symbol, round(cursor * 1000) - 1000)  # exclusive
                found = [trade for raw in raws if (trade := market_trade(exchange, symbol, raw))]
                page = sorted((trade for trade in found if trade.time >= cursor), key=lambda trade: trade.time)
                last = page[-1].time if page else cursor
                if last == cursor:  # the exchange has no newer trade
                    yield TradePage(cursor, end, [trade for trade in page if trade.time < end])
                    return
                # an exchange that ignores `since` returns its newest trades
                page_start = cursor if covered or last < time.time() - MINUTE else page[0].time
                cursor, covered = min(last, end), True  # further trades may have the time of the last one
                yield TradePage(page_start, cursor, [trade for trade in page if trade.time < cursor])

    async def markets(self, exchange: str) -> list[Market]:
        """All active markets of an exchange.

        Raises:
            UnknownExchangeError: ccxt has no such exchange.
            ccxt's errors, after some attempts.
        """
        link = self._link(exchange)
        async with link.used():
            found = await self._request(link, "load_markets")
            client = (await link.session()).client
            return [market_facts(client, market) for market in found.values() if market.get("active") is not False]

    async def account(
        self, account: Account, symbols: Sequence[str], next_reading: NextReading
    ) -> AsyncGenerator[AccountUpdate]:
        """An account with the keys from the environment.

        Raises:
            NoKeysError, SettingsError: there are no keys, or they cannot be read.
            UnknownExchangeError, ccxt's errors, OSError and TimeoutError: the account cannot be read.
        """
        keys = await asyncio.to_thread(exchange_keys, account.ex_id)  # may read files
        if keys is None:
            raise NoKeysError(account.ex_id)
        client = await self._open_account_client(account, keys)
        try:
            await self._load_markets(client, account)
            reader = AccountReader(client, account, symbols, next_reading, self._account_timing, keys.secrets)
            async with aclosing(reader.updates()) as updates:
                async for update in updates:
                    yield update
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSING):
                    await client.close()

    def _link(self, exchange: str) -> ExchangeLink:
        """The connections to an exchange, shared by all streams and requests."""
        if exchange not in self._links:
            self._links[exchange] = ExchangeLink(exchange, partial(self._open_client, exchange), self._timing)
        return self._links[exchange]

    async def _open_client(self, exchange: str) -> Any:
        return await open_client(self._settings, exchange)

    async def _open_account_client(self, account: Account, keys: ExchangeKeys) -> Any:
        client = await open_client(self._settings, account.exchange, keys, sandbox=account.test)
        client.options["warnOnFetchOpenOrdersWithoutSymbol"] = False
        return client

    async def _load_markets(self, client: Any, account: Account) -> None:
        """Take the markets that another account of the exchange has loaded, else load them."""
        key = (account.exchange, account.test)
        async with self._markets_locks[key]:
            source, loaded_at = self._markets.get(key, (None, 0.0))
            if source is not None and time.monotonic() - loaded_at < MARKETS_AGE:
                client.set_markets_from_exchange(source)
                await client.load_markets()
                return
            await repeated_request(client.load_markets, self._account_timing)
            self._markets[key] = client, time.monotonic()

    async def _request(self, link: ExchangeLink, method: str, *arguments: Any) -> Any:
        """Call a method of the client."""

        async def call() -> Any:
            return await getattr((await link.session()).client, method)(*arguments)

        return await repeated_request(call, self._timing)


def candle_limit(client: Any, symbol: str) -> int:
    """The most candles that the exchange returns at once."""
    return int(client.feature_value(symbol, "fetchOHLCV", "limit") or USUAL_PAGE)


def _candle(row: Sequence[float]) -> Candle:
    return Candle(datetime.fromtimestamp(row[0] / 1000, UTC), *map(float, row[1:6]))
