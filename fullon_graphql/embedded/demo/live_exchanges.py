"""The demo's catalogue on real exchanges: their popular symbols, and the demo's accounts and bots moved to them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from fullon_graphql.config import Settings
from fullon_graphql.daemons.feeds.ccxt_client import errors, finite, market_facts, open_client
from fullon_graphql.daemons.feeds.market_feed import Market
from fullon_graphql.embedded.demo.catalogue import ACCOUNTS, BOTS, EXCHANGES, Account, Catalogue, DemoBot, Instrument
from fullon_graphql.embedded.demo.market import Prices, currencies
from fullon_graphql.observability.redaction import reason

BASES: Final = ("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC", "LINK")
"""The popular currencies. Each has one symbol, in the first of these that it is traded for:"""
QUOTES: Final = ("USD", "USDT", "USDC", "EUR", "BTC", "ETH")

BACKTEST: Final = 7
"""Days of candles that are collected of each symbol."""

TIMEOUT: Final = 10.0
"""Seconds that an exchange has to answer."""


class UnreachableError(Exception):
    """An exchange does not answer, or has nothing to show. The message has the reason."""


@dataclass(frozen=True, slots=True)
class LiveExchange:
    """An exchange that answers: its popular symbols with their current prices."""

    name: str
    markets: Sequence[Market]
    prices: Mapping[str, float]


async def require_known(settings: Settings, exchanges: Sequence[str]) -> None:
    """Check the names of exchanges, without sending anything.

    Raises:
        ExchangesNotInstalledError: ccxt is missing.
        UnknownExchangeError: ccxt has no such exchange.
    """
    for name in exchanges:
        await (await open_client(settings, name)).close()


async def reach(settings: Settings, exchanges: Sequence[str]) -> list[LiveExchange | UnreachableError]:
    """Request the popular symbols and their prices from all exchanges at the same time."""
    return await asyncio.gather(*(_reach(settings, name) for name in exchanges))


async def _reach(settings: Settings, exchange: str) -> LiveExchange | UnreachableError:
    client = await open_client(settings, exchange)
    try:
        async with asyncio.timeout(TIMEOUT):
            found = await client.load_markets()
            facts = [market_facts(client, market) for market in found.values() if market.get("active") is not False]
            chosen = popular(facts)
            prices = await _prices(client, [market.symbol for market in chosen])
    except (errors().BaseError, OSError, TimeoutError) as error:
        return UnreachableError(f"{exchange} cannot be reached: {reason(error)}")
    finally:
        await client.close()
    priced = [market for market in chosen if market.symbol in prices]
    return LiveExchange(exchange, priced, prices) if priced else UnreachableError(f"{exchange} has no popular symbol.")


def popular(markets: Sequence[Market]) -> list[Market]:
    """One market of each popular currency, spot markets before perpetual ones; none that expires."""
    perpetual = [market for market in markets if "-" not in market.symbol]
    found = []
    for base in BASES:
        of_base = [market for market in perpetual if market.base == base and market.quote in QUOTES]
        if of_base:
            found.append(min(of_base, key=lambda one: (one.futures, QUOTES.index(one.quote or ""))))
    return found


async def _prices(client: Any, symbols: Sequence[str]) -> dict[str, float]:
    if not symbols:
        return {}
    if client.has.get("fetchTickers"):
        tickers = await client.fetch_tickers(list(symbols))
    else:
        tickers = {symbol: await client.fetch_ticker(symbol) for symbol in symbols}
    last = {symbol: finite(tickers[symbol].get("last")) for symbol in symbols if symbol in tickers}
    return {symbol: price for symbol, price in last.items() if price and price > 0}


def moved(found: Sequence[LiveExchange]) -> Catalogue:
    """The catalogue of these exchanges. Each of the demo's exchanges becomes one of them, and so do its accounts."""
    instruments = [
        Instrument(0, one.name, market.symbol, market.decimals, futures=market.futures, backtest=BACKTEST)
        for one in found
        for market in one.markets
    ]
    instruments = [replace(one, symbol_id=number) for number, one in enumerate(instruments, 1)]
    places = {name: found[number % len(found)].name for number, name in enumerate(EXCHANGES)}
    accounts = {one.ex_id: _moved_account(one, places) for one in ACCOUNTS}
    bots = [_moved_bot(bot, accounts, instruments) for bot in BOTS]
    numbers = {one.name: number for number, one in enumerate(found, 1)}
    return Catalogue(numbers, instruments, list(accounts.values()), bots)


def anchored(seed: int, found: Sequence[LiveExchange], at: float) -> Prices:
    """Simulated prices that are those of the exchanges at `at` (unix seconds), for the history of the demo's bots."""
    prices = Prices(seed)
    for one in found:
        for symbol, price in one.prices.items():
            prices.anchor(one.name, symbol, price, at)
    return prices


def _moved_account(account: Account, places: Mapping[str, str]) -> Account:
    """The account on another exchange. Its number keeps names apart that would be equal there."""
    name = f"{account.name.replace(account.exchange, places[account.exchange])} {account.ex_id}"
    return replace(account, exchange=places[account.exchange], name=name)


def _moved_bot(bot: DemoBot, accounts: Mapping[int, Account], instruments: Sequence[Instrument]) -> DemoBot:
    account = accounts[bot.account.ex_id]
    also = accounts[bot.also.ex_id] if bot.also else None
    own = [one for one in instruments if one.exchange == account.exchange]
    base = currencies(bot.instrument.symbol)[0]
    instrument = next((one for one in own if currencies(one.symbol)[0] == base), own[0])
    return replace(bot, account=account, also=also, instrument=instrument)
