"""Wallets: live balances and positions of accounts on exchanges."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy import select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.cache import accounts
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.database import Database
from fullon_graphql.models import CatExchange, Exchange
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics.prices import Prices, Rates, currencies


@dataclass(frozen=True, slots=True)
class Wallet:
    """Balances by currency and positions of one account."""

    ex_id: int
    uid: int
    exchange: str
    balances: Sequence[Balance]
    positions: Sequence[Position]


async def read(
    database: Database, redis: Redis, caller: Caller, uids: Sequence[int] | None = None, ex_id: int | None = None
) -> list[Wallet]:
    """The wallets of active accounts that `caller` may see, by key, without sandbox accounts.

    One statement, and two concurrent round trips to Redis.

    Raises:
        Unauthenticated: the caller is not signed in.
    """
    rows = visible(Exchange, caller).where(Exchange.active, Exchange.test.is_(False))
    if uids is not None:
        rows = rows.where(Exchange.uid.in_(uids))
    if ex_id is not None:
        rows = rows.where(Exchange.ex_id == ex_id)
    name = select(CatExchange.name).where(CatExchange.cat_ex_id == Exchange.cat_ex_id).scalar_subquery()
    rows = rows.with_only_columns(Exchange.ex_id, Exchange.uid, name.label("exchange")).order_by(Exchange.ex_id)
    found = await database.rows(rows)
    ex_ids = [row.ex_id for row in found]
    balances, positions = await asyncio.gather(
        accounts.read_balances(redis, ex_ids), accounts.read_positions(redis, ex_ids)
    )
    return [Wallet(row.ex_id, row.uid, row.exchange, balances[row.ex_id], positions[row.ex_id]) for row in found]


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum in one currency: `total` is None if some amounts are `unpriced`; `priced` is the sum of the others."""

    priced: float
    unpriced: Sequence[str]

    @property
    def total(self) -> float | None:
        return None if self.unpriced else self.priced


def total(amounts: Iterable[tuple[str, float | None]]) -> Sum:
    """The sum of named amounts; an amount of None has no price."""
    named = list(amounts)
    return Sum(
        sum(amount for _, amount in named if amount is not None),
        sorted({name for name, amount in named if amount is None}),
    )


def unrealized(wallets: Iterable[Wallet], prices: Prices, currency: str) -> Sum:
    """Profit or loss of closing all derivative positions now, without fees, for linear instruments.

    Spot positions are left out: balances include them.
    """
    return total(
        result for wallet in wallets for result in _results(wallet, prices, prices.rates(currency, wallet.exchange))
    )


def _results(wallet: Wallet, prices: Prices, rates: Rates) -> Iterator[tuple[str, float | None]]:
    for position in wallet.positions:
        names = currencies(position.symbol)
        if names and names[2] and position.volume:
            ticker = prices.ticker(wallet.exchange, position.symbol)
            result = None if ticker is None else (ticker.price - position.price) * position.volume
            yield position.symbol, None if result is None else rates.value(result, names[1])
