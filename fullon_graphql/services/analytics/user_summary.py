"""Summary of a user: balances, open positions and results of the last day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from redis.asyncio import Redis
from sqlalchemy import func, or_, select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.database import Database
from fullon_graphql.errors import NotFound
from fullon_graphql.models import User
from fullon_graphql.services import wallets
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics import prices
from fullon_graphql.services.analytics.ledger import Period, Scope, is_dated, ledger_entries
from fullon_graphql.services.analytics.portfolio import portfolio
from fullon_graphql.services.analytics.prices import Prices
from fullon_graphql.services.sources import Sources
from fullon_graphql.services.wallets import Wallet

DAY = timedelta(hours=24)


class Result(NamedTuple):
    """The results of one user on one exchange in one currency; `left_out` counts the figures missing in `total`.

    The exchange is None if the account is deleted, the total if all results are left out.
    """

    exchange: str | None
    currency: str
    total: float | None
    left_out: int


@dataclass(frozen=True, slots=True)
class UserSummary:
    """Live figures of one user, in `currency`; a figure is None if a price for it is missing (see `unpriced`).

    - `account_balance`: the value of all balances of active accounts, without sandbox accounts; None without a balance.
    - `unrealized_pnl`: profit or loss of closing all derivative positions now, without fees.
    - `total_value`: the sum of the two.
    - `daily_pnl`: the results of live trades closed within the last 24 hours.
    - `left_out`: the number of stored figures of these trades that are not finite, and of results with a time after
      2199; `daily_pnl` does not include them.
    """

    uid: int
    currency: str
    accounts: int
    account_balance: float | None
    unrealized_pnl: float | None
    total_value: float | None
    daily_pnl: float | None
    left_out: int
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
        _summary(uid, [wallet for wallet in held if wallet.uid == uid], won.get(uid, []), live_prices, currency)
        for uid in uids
    ]


async def of_users(sources: Sources, keys: Sequence[tuple[int]], currency: str) -> list[UserSummary]:
    """The summary of each user, as `of_people` answers it."""
    uids = [uid for (uid,) in keys]
    return await of_people(sources.database, sources.redis, sources.caller, uids, currency)


def _summary(
    uid: int, held: Sequence[Wallet], results: Sequence[Result], live_prices: Prices, currency: str
) -> UserSummary:
    balance = portfolio(held, live_prices, currency)
    open_ = wallets.unrealized(held, live_prices, currency)
    day = wallets.total(
        (result.currency, live_prices.rates(currency, result.exchange).value(result.total, result.currency))
        for result in results
        if result.total is not None
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
        left_out=sum(result.left_out for result in results),
        unpriced=sorted({*balance.unpriced, *open_.unpriced, *day.unpriced}),
        prices_as_of=balance.prices_as_of,
    )


async def _results_of_the_day(database: Database, caller: Caller, uids: Sequence[int]) -> dict[int, list[Result]]:
    """Results by user."""
    entries = ledger_entries(caller, Scope(period=Period(start=datetime.now(UTC) - DAY)))
    roi, dated = entries.c.roi, is_dated(entries)
    left_out = func.sum(entries.c.left_out) + func.count(roi).filter(~dated)
    statement = (
        select(
            entries.c.uid,
            entries.c.exchange,
            entries.c.currency,
            func.sum(roi).filter(dated).label("total"),
            left_out.label("left_out"),
        )
        .where(or_(roi.is_not(None), entries.c.left_out > 0), entries.c.uid.in_(uids))
        .group_by(entries.c.uid, entries.c.exchange, entries.c.currency)
    )
    found: dict[int, list[Result]] = defaultdict(list)
    for row in await database.rows(statement):
        found[row.uid].append(Result(row.exchange, row.currency, row.total, row.left_out))
    return found
