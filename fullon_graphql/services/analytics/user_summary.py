"""Summary of a user: balances, open positions and results of the last day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from redis.asyncio import Redis
from sqlalchemy import func, select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.database import Database
from fullon_graphql.errors import NotFound
from fullon_graphql.models import User
from fullon_graphql.services import wallets
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics import prices
from fullon_graphql.services.analytics.ledger import Period, Scope, ledger_entries
from fullon_graphql.services.analytics.portfolio import portfolio
from fullon_graphql.services.analytics.prices import Prices
from fullon_graphql.services.sources import Sources
from fullon_graphql.services.wallets import Wallet

DAY = timedelta(hours=24)

Results: TypeAlias = dict[tuple[str | None, str], float]
"""By exchange and currency; the exchange is None if the account is deleted."""


@dataclass(frozen=True, slots=True)
class UserSummary:
    """Live figures of one user, in `currency`; a figure is None if a price for it is missing (see `unpriced`).

    - `account_balance`: the value of all balances of active accounts, without sandbox accounts; None without a balance.
    - `unrealized_pnl`: profit or loss of closing all derivative positions now, without fees.
    - `total_value`: the sum of the two.
    - `daily_pnl`: the results of live trades closed within the last 24 hours.
    """

    uid: int
    currency: str
    accounts: int
    account_balance: float | None
    unrealized_pnl: float | None
    total_value: float | None
    daily_pnl: float | None
    unpriced: Sequence[str]
    prices_as_of: datetime | None


async def of_person(database: Database, redis: Redis, caller: Caller, uid: int, currency: str) -> UserSummary:
    """The summary of one user: four statements, three round trips to Redis.

    Raises:
        Unauthenticated: the caller is not signed in.
        NotFound: there is no such user that the caller may see.
    """
    if not await database.rows(visible(User, caller).with_only_columns(User.uid).where(User.uid == uid)):
        raise NotFound(f"No User with key {uid}.")
    [summary] = await of_people(database, redis, caller, [uid], currency)
    return summary


async def of_people(
    database: Database, redis: Redis, caller: Caller, uids: Sequence[int], currency: str
) -> list[UserSummary]:
    """The summary of each user, from rows that `caller` may see: three statements, three round trips to Redis.

    Raises:
        Unauthenticated: the caller is not signed in.
    """
    live_prices = await prices.read(database, redis, caller)
    held = await wallets.read(database, redis, caller, uids)
    won = await _results_of_the_day(database, caller, uids)
    return [
        _summary(uid, [wallet for wallet in held if wallet.uid == uid], won.get(uid, {}), live_prices, currency)
        for uid in uids
    ]


async def of_users(sources: Sources, keys: Sequence[tuple[int]], currency: str) -> list[UserSummary]:
    """The summary of each user, as `of_people` answers it."""
    uids = [uid for (uid,) in keys]
    return await of_people(sources.database, sources.redis, sources.caller, uids, currency)


def _summary(uid: int, held: Sequence[Wallet], won: Results, live_prices: Prices, currency: str) -> UserSummary:
    balance = portfolio(held, live_prices, currency)
    open_ = wallets.unrealized(held, live_prices, currency)
    day = wallets.total(
        (name, live_prices.rates(currency, exchange).value(amount, name)) for (exchange, name), amount in won.items()
    )
    known = balance.total_value is not None and open_.total is not None
    return UserSummary(
        uid=uid,
        currency=currency,
        accounts=balance.accounts,
        account_balance=balance.total_value,
        unrealized_pnl=open_.total,
        total_value=balance.priced_value + open_.priced if known else None,
        daily_pnl=day.total,
        unpriced=sorted({*balance.unpriced, *open_.unpriced, *day.unpriced}),
        prices_as_of=balance.prices_as_of,
    )


async def _results_of_the_day(database: Database, caller: Caller, uids: Sequence[int]) -> dict[int, Results]:
    """Results by user."""
    entries = ledger_entries(caller, Scope(period=Period(start=datetime.now(UTC) - DAY)))
    statement = (
        select(entries.c.uid, entries.c.exchange, entries.c.currency, func.sum(entries.c.roi).label("result"))
        .where(entries.c.roi.is_not(None), entries.c.uid.in_(uids))
        .group_by(entries.c.uid, entries.c.exchange, entries.c.currency)
    )
    found: dict[int, Results] = defaultdict(dict)
    for row in await database.rows(statement):
        found[row.uid][row.exchange, row.currency] = row.result
    return found
