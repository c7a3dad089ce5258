"""Live prices of instruments, and the exchange rates that follow from them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from redis.asyncio import Redis

from fullon_graphql.auth.principal import Caller
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.database import Database
from fullon_graphql.models import CatExchange, Exchange
from fullon_graphql.services import tickers
from fullon_graphql.services.access import visible

MAX_STEPS = 2
"""Tickers between a currency and the target: a direct one, or two through one other currency."""


_MAX_PRICE: Final = 1e20


class Rate(NamedTuple):
    """The value of one unit of a currency, and the time (Unix seconds) of the oldest ticker it is computed from."""

    value: float
    time: float = math.inf


class _Step(NamedTuple):
    """One ticker in one direction: a unit of `source` is worth `value` of `target`."""

    source: str
    target: str
    value: float
    time: float
    own: bool
    """True for a ticker of the account's exchange."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The value of a unit of each currency in `currency`, as far as live tickers exist."""

    currency: str
    by_currency: Mapping[str, Rate]
    by_exchange: Mapping[tuple[str, str], Rate] = field(default_factory=dict)
    """By exchange and currency: the rates for accounts on an exchange, if they differ from those above."""

    def value(self, amount: float, currency: str) -> float | None:
        """The value of `amount` of `currency`; None without a ticker. An amount of 0 needs no ticker."""
        rate = self.by_currency.get(currency)
        if rate is None:
            return None if amount else 0.0
        return amount * rate.value

    def oldest(self, used: Iterable[str]) -> datetime | None:
        """The time of the oldest ticker behind the rates of the `used` currencies; None if there is none."""
        time = min((self.by_currency[name].time for name in used if name in self.by_currency), default=math.inf)
        return None if math.isinf(time) else datetime.fromtimestamp(time, UTC)


class Prices:
    """The newest ticker of each instrument. `exchanges` are those on which the caller sees accounts."""

    def __init__(self, newest: Iterable[Ticker], exchanges: Sequence[str] = ()) -> None:
        self._exchanges = exchanges
        self._tickers = {(ticker.exchange, ticker.symbol): ticker for ticker in newest}
        self._rates: dict[tuple[str, str | None], Rates] = {}

    def ticker(self, exchange: str, symbol: str) -> Ticker | None:
        """The ticker of one instrument, or None if there is none."""
        return self._tickers.get((exchange, symbol))

    def rates(self, currency: str, exchange: str | None = None) -> Rates:
        """The rates into `currency`; with an `exchange`, those for an account on it.

        The prices of the account's own exchange come first: two exchanges may use one name for two coins. Of several
        shortest paths, then the one whose oldest ticker is newest.
        """
        key = (currency, exchange)
        if key not in self._rates:
            steps = [step for ticker in self._tickers.values() for step in _both_directions(ticker, exchange)]
            known = {currency: Rate(1.0)}
            for _ in range(MAX_STEPS):
                known = _next_rates(steps, known) | known
            self._rates[key] = Rates(currency, known)
        return self._rates[key]

    async def rates_of_accounts(self, currency: str) -> Rates:
        """The rates into `currency`, with those for accounts on each exchange as `rates` has them."""
        common = self.rates(currency)
        own: dict[tuple[str, str], Rate] = {}
        for exchange in self._exchanges:
            rates = self.rates(currency, exchange).by_currency
            own |= {(exchange, name): rate for name, rate in rates.items() if rate != common.by_currency.get(name)}
            await asyncio.sleep(0)  # thousands of tickers take milliseconds for each exchange
        return replace(common, by_exchange=own)


async def read(database: Database, redis: Redis, caller: Caller) -> Prices:
    """The prices on all catalogued exchanges: one statement and one round trip to Redis.

    Raises:
        Unauthenticated: the caller is not signed in.
    """
    account = visible(Exchange, caller).where(Exchange.cat_ex_id == CatExchange.cat_ex_id).correlate(CatExchange)
    columns = CatExchange.name, account.exists().label("has_accounts")
    rows = await database.rows(visible(CatExchange, caller).with_only_columns(*columns).order_by(CatExchange.name))
    by_exchange = await tickers.of_exchanges(redis, caller, [row.name for row in rows]) if rows else []
    with_accounts = [row.name for row in rows if row.has_accounts]
    return Prices((ticker for listed in by_exchange for ticker in listed), with_accounts)


def currencies(symbol: str) -> tuple[str, str, str] | None:
    """Base, quote and settlement currency of `BASE/QUOTE` or `BASE/QUOTE:SETTLE`; None for a name without a slash.

    The settlement currency is empty for a spot instrument.
    """
    pair, _, settle = symbol.partition(":")
    base, slash, quote = pair.partition("/")
    return (base, quote, settle) if slash and base and quote else None


def _both_directions(ticker: Ticker, exchange: str | None) -> Iterator[_Step]:
    """Both directions of a spot ticker; prices of derivatives may deviate from the rate and are left out.

    A price of an absurd size is left out too, so that the products of rates and figures are doubles.
    """
    names = currencies(ticker.symbol)
    if names and not names[2] and 1 / _MAX_PRICE <= ticker.price <= _MAX_PRICE:
        own = ticker.exchange == exchange
        yield _Step(names[0], names[1], ticker.price, ticker.time, own)
        yield _Step(names[1], names[0], 1 / ticker.price, ticker.time, own)


def _next_rates(steps: Iterable[_Step], known: Mapping[str, Rate]) -> dict[str, Rate]:
    """The rates of currencies one ticker away from the `known` ones."""
    found: dict[str, tuple[bool, Rate]] = {}
    for step in steps:
        if target := known.get(step.target):
            rate = Rate(step.value * target.value, min(step.time, target.time))
            best = found.get(step.source)
            if best is None or (step.own, rate.time) > (best[0], best[1].time):
                found[step.source] = (step.own, rate)
    return {source: rate for source, (_, rate) in found.items()}
