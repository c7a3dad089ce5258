"""Portfolios: balances by currency, their value and diversification."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis

from fullon_graphql.auth.principal import Caller
from fullon_graphql.database import Database
from fullon_graphql.services import wallets
from fullon_graphql.services.analytics import prices
from fullon_graphql.services.analytics.prices import Prices, Rates
from fullon_graphql.services.wallets import Wallet


@dataclass(frozen=True, slots=True)
class Asset:
    """The total balance of one currency. `price` and `value` are in the portfolio's currency, None without a ticker."""

    currency: str
    total: float
    price: float | None
    value: float | None
    weight: float | None


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Balances of active accounts, without sandbox accounts, valued by live tickers.

    - `total_value`: None if an asset has no price (see `unpriced`) or no account has a balance; `priced_value` is the
      value of the assets with a price.
    - `weight` of an asset: its value / total value.
    - `diversification_score`: 1 - sum of squared weights (one minus the Herfindahl-Hirschman index): 0 for a single
      asset, towards 1 for many equal ones. None if a weight is None or negative (a debt).
    - `accounts_without_balance`: keys of accounts that are empty or not read from the exchange yet.
    """

    currency: str
    accounts: int
    accounts_without_balance: Sequence[int]
    total_assets: int
    total_value: float | None
    priced_value: float
    asset_allocation: Sequence[Asset]
    diversification_score: float | None
    unpriced: Sequence[str]
    prices_as_of: datetime | None


async def of_accounts(
    database: Database,
    redis: Redis,
    caller: Caller,
    currency: str,
    uid: int | None = None,
    ex_id: int | None = None,
) -> Portfolio:
    """The portfolio of the accounts that `caller` may see: two statements, three round trips.

    Raises:
        Unauthenticated: the caller is not signed in.
    """
    live_prices = await prices.read(database, redis, caller)
    held = await wallets.read(database, redis, caller, None if uid is None else [uid], ex_id)
    return portfolio(held, live_prices, currency)


def portfolio(held: Sequence[Wallet], live_prices: Prices, currency: str) -> Portfolio:
    """The portfolio of all wallets, each at the prices of its exchange where this has one."""
    amounts = _amounts(held)
    rates = {wallet.exchange: live_prices.rates(currency, wallet.exchange) for wallet in held}
    values = {name: _value(held, name, rates) for name in amounts}
    worth = wallets.total(values.items())
    total = worth.total if any(wallet.balances for wallet in held) else None
    assets = [_asset(name, amount, values[name], total) for name, amount in amounts.items()]
    assets.sort(key=lambda asset: (asset.value is None, -(asset.value or 0.0), asset.currency))
    return Portfolio(
        currency=currency,
        accounts=len(held),
        accounts_without_balance=[wallet.ex_id for wallet in held if not wallet.balances],
        total_assets=len(assets),
        total_value=total,
        priced_value=worth.priced,
        asset_allocation=assets,
        diversification_score=_diversification([asset.weight for asset in assets]),
        unpriced=worth.unpriced,
        prices_as_of=min((time for one in rates.values() if (time := one.oldest(amounts)) is not None), default=None),
    )


def _amounts(held: Sequence[Wallet]) -> dict[str, float]:
    amounts: dict[str, float] = defaultdict(float)
    for wallet in held:
        for balance in wallet.balances:
            amounts[balance.currency] += balance.total
    return {name: amount for name, amount in amounts.items() if amount}


def _value(held: Sequence[Wallet], name: str, rates: Mapping[str, Rates]) -> float | None:
    """The value of one currency in all wallets; None without a ticker."""
    values = [
        rates[wallet.exchange].value(balance.total, name)
        for wallet in held
        for balance in wallet.balances
        if balance.currency == name
    ]
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _asset(name: str, amount: float, value: float | None, total: float | None) -> Asset:
    weight = value / total if value is not None and total else None
    return Asset(name, amount, None if value is None else value / amount, value, weight)


def _diversification(weights: Sequence[float | None]) -> float | None:
    known = [weight for weight in weights if weight is not None and weight >= 0]
    return 1 - sum(weight**2 for weight in known) if known and len(known) == len(weights) else None
