"""What things are worth now: live prices of instruments, and rates between currencies that follow from them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from redis.asyncio import Redis

from fullon_graphql.auth.principal import Caller
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.database import Database
from fullon_graphql.models import CatExchange
from fullon_graphql.services import tickers
from fullon_graphql.services.access import visible

STEPS = 2
"""A currency is priced by a ticker against the one asked for, or by way of one other currency; never from further."""


class Rate(NamedTuple):
    """What one unit of a currency is worth, and the time (unix seconds) of the older ticker that says so."""

    value: float
    time: float = math.inf


class _Step(NamedTuple):
    """One ticker read in one direction: a unit of `source` is worth `value` of `target`."""

    source: str
    target: str
    value: float
    time: float


@dataclass(frozen=True, slots=True)
class Rates:
    """What a unit of each currency is worth in `currency`, as far as live tickers tell."""

    currency: str
    by_currency: Mapping[str, Rate]

    def value(self, amount: float, currency: str) -> float | None:
        """`amount` of `currency`; None where no ticker leads from there to here. Nothing is worth nothing anywhere."""
        rate = self.by_currency.get(currency)
        if rate is None:
            return None if amount else 0.0
        return amount * rate.value

    def oldest(self, used: Iterable[str]) -> datetime | None:
        """When the oldest ticker was seen that prices one of the `used` currencies; None where none is needed."""
        time = min((self.by_currency[name].time for name in used if name in self.by_currency), default=math.inf)
        return None if math.isinf(time) else datetime.fromtimestamp(time, UTC)


class Prices:
    """The newest ticker of every instrument."""

    def __init__(self, seen: Iterable[Ticker]) -> None:
        self._tickers = {(ticker.exchange, ticker.symbol): ticker for ticker in seen}

    def ticker(self, exchange: str, symbol: str) -> Ticker | None:
        """The ticker of one instrument, or None where none has been seen."""
        return self._tickers.get((exchange, symbol))

    def rates(self, currency: str) -> Rates:
        """The rates into `currency`. Of several ways of one length, the one whose older ticker is the newest."""
        steps = [step for ticker in self._tickers.values() for step in _both_ways(ticker)]
        known = {currency: Rate(1.0)}
        for _ in range(STEPS):
            known = _further(steps, known) | known
        return Rates(currency, known)


async def read(database: Database, redis: Redis, caller: Caller) -> Prices:
    """The prices on all catalogued exchanges: one statement and one round trip.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    catalogue = visible(CatExchange, caller).with_only_columns(CatExchange.name).order_by(CatExchange.name)
    names = [row.name for row in await database.rows(catalogue)]
    seen = await tickers.of_exchanges(redis, caller, names) if names else []
    return Prices(ticker for of_exchange in seen for ticker in of_exchange)


def currencies(symbol: str) -> tuple[str, str, str] | None:
    """Base, quote and settlement currency of `BASE/QUOTE` or `BASE/QUOTE:SETTLE`; None for a name without a slash.

    The settlement currency is empty for what is exchanged on the spot.
    """
    pair, _, settle = symbol.partition(":")
    base, slash, quote = pair.partition("/")
    return (base, quote, settle) if slash and base and quote else None


def _both_ways(ticker: Ticker) -> Iterator[_Step]:
    """Only spot prices say what a currency is worth: those of derivatives stray from them."""
    names = currencies(ticker.symbol)
    if names and not names[2] and ticker.price > 0:
        yield _Step(names[0], names[1], ticker.price, ticker.time)
        yield _Step(names[1], names[0], 1 / ticker.price, ticker.time)


def _further(steps: Iterable[_Step], known: Mapping[str, Rate]) -> dict[str, Rate]:
    """The rates of what is one step away from the `known`."""
    found: dict[str, Rate] = {}
    for step in steps:
        if target := known.get(step.target):
            rate = Rate(step.value * target.value, min(step.time, target.time))
            if step.source not in found or rate.time > found[step.source].time:
                found[step.source] = rate
    return found
